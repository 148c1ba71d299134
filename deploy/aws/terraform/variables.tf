variable "name" {
  description = "Of the function, and the beginning of the names of everything else."
  type        = string
  default     = "skein"
}

variable "code_bucket" {
  description = "The bucket that the function's zip was put into."
  type        = string
}

variable "code_key" {
  description = "The zip's key there. Another zip needs another key, else Terraform sees no change."
  type        = string
  default     = "skein-arm64.zip"
}

variable "architecture" {
  description = "As the zip was built for: arm64 or x86_64, which make lambda calls amd64."
  type        = string
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture is arm64 or x86_64."
  }
}

variable "bucket_name" {
  description = "The bucket for scripts and releases, which this module makes."
  type        = string
}

variable "prefix" {
  description = "The folder of the bucket that the function may read, with a slash at its end; empty means all of it."
  type        = string
  default     = ""
}

variable "time_zone" {
  description = "The zone that the schedules' times are in, for instance Europe/Oslo."
  type        = string
  default     = "UTC"
}

variable "environments" {
  description = <<-EOT
    What is done when, by environment of skein.toml. schedule: rate(1 hour), cron(0 2 1 * ? *), at(2026-12-24T22:00:00);
    skein schedule next shows the times. start: the moment a rate is counted from. silence: hours without a success after which
    the alarm sounds, one and a half times the schedule, at most 1488; a month is 744 hours.
  EOT
  type = map(object({
    command  = optional(string, "migrate")
    schedule = string
    start    = optional(string)
    silence  = number
  }))
  default = {
    dev = { schedule = "cron(0 2 1 * ? *)", silence = 1116 }
  }
}

variable "arrival" {
  description = "What the arrival of a release.json in the bucket does, in the environment that skein.toml selects: nothing, migrate or deploy."
  type        = string
  default     = "nothing"
  validation {
    condition     = contains(["nothing", "migrate", "deploy"], var.arrival)
    error_message = "The arrival of a release does nothing, migrate or deploy."
  }
}

variable "login_arn" {
  description = "The secret with the database's login that skein.toml refers to; may end with an asterisk. Empty means that there is none."
  type        = string
  default     = ""
}

variable "key_arn" {
  description = "The KMS key of that secret, if it has one of its own."
  type        = string
  default     = ""
}

variable "database_user_arn" {
  description = "For IAM logins, arn:aws:rds-db:REGION:ACCOUNT:dbuser:CLUSTER-RESOURCE-ID/USER."
  type        = string
  default     = ""
}

variable "instance" {
  description = "The ID of the host that runs events with via=ssm. Empty means that there is none."
  type        = string
  default     = ""
}

variable "subnet_ids" {
  description = "The subnets of the VPC from which the databases are reached. Empty means no VPC."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "The security groups of the function in the VPC; those of the databases have to let them in."
  type        = list(string)
  default     = []
}

variable "loop" {
  description = "Who goes on after fifteen minutes: self, the function by itself, or stepfunctions, a state machine that calls it again."
  type        = string
  default     = "self"
  validation {
    condition     = contains(["self", "stepfunctions"], var.loop)
    error_message = "The loop is self or stepfunctions."
  }
}

variable "concurrency" {
  description = "Reserved concurrency; 0 reserves none, for accounts that have only ten in all."
  type        = number
  default     = 2
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90
}

variable "alarm_email" {
  description = "Who gets the alarms by mail. Empty means nobody; the topic is there for others."
  type        = string
  default     = ""
}
