# Skein as a Lambda function that migrates PostgreSQL databases on a schedule. docs/aws.md leads through it. There is no secret
# in it: it names where secrets are. cloudformation.yaml beside it makes the same.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.id

  has_arrival    = var.arrival != "nothing"
  has_loop       = var.loop == "stepfunctions"
  goes_on_itself = !local.has_loop || local.has_arrival

  function_arn = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}"
}

resource "aws_s3_bucket" "scripts" {
  bucket = var.bucket_name
}

resource "aws_s3_bucket_versioning" "scripts" {
  bucket = aws_s3_bucket.scripts.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_notification" "scripts" {
  bucket      = aws_s3_bucket.scripts.id
  eventbridge = true
}

resource "aws_s3_bucket_public_access_block" "scripts" {
  bucket                  = aws_s3_bucket.scripts.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "scripts" {
  bucket = aws_s3_bucket.scripts.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "scripts" {
  bucket = aws_s3_bucket.scripts.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "EncryptedConnectionsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:${local.partition}:s3:::${var.bucket_name}", "arn:${local.partition}:s3:::${var.bucket_name}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "dead_letters" {
  count     = local.has_arrival ? 1 : 0
  queue_url = aws_sqs_queue.dead_letters.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RuleKeepsWhatFailed"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.dead_letters.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.arrival[0].arn } }
    }]
  })
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_days
}

resource "aws_lambda_function" "this" {
  function_name                  = var.name
  description                    = "Migrates PostgreSQL databases (Skein)"
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  s3_bucket                      = var.code_bucket
  s3_key                         = var.code_key
  role                           = aws_iam_role.function.arn
  memory_size                    = 256
  timeout                        = 900
  reserved_concurrent_executions = var.concurrency > 0 ? var.concurrency : -1

  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letters.arn
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function.name
  }

  environment {
    variables = merge(
      local.has_arrival ? { SKEIN_LAMBDA_ON_RELEASE = var.arrival } : {},
      var.instance != "" ? { SKEIN_SSM_INSTANCE = var.instance } : {},
    )
  }

  dynamic "vpc_config" {
    for_each = length(var.subnet_ids) > 0 ? [true] : []
    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }
}

resource "aws_lambda_function_recursion_config" "this" {
  function_name  = aws_lambda_function.this.function_name
  recursive_loop = "Allow"
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600
}

resource "aws_sfn_state_machine" "loop" {
  count    = local.has_loop ? 1 : 0
  name     = var.name
  role_arn = aws_iam_role.loop[0].arn
  definition = jsonencode({
    StartAt        = "Slice"
    TimeoutSeconds = 172800
    States = {
      Slice = {
        Type           = "Task"
        Resource       = aws_lambda_function.this.arn
        TimeoutSeconds = 960
        Retry          = [{ ErrorEquals = ["States.ALL"], IntervalSeconds = 30, BackoffRate = 2, MaxAttempts = 5 }]
        Next           = "More"
      }
      More = {
        Type = "Choice"
        Choices = [
          { Variable = "$.next", IsPresent = true, Next = "Pause" },
          { Variable = "$.status", StringEquals = "failed", Next = "Failed" },
        ]
        Default = "Done"
      }
      Pause  = { Type = "Wait", Seconds = 5, OutputPath = "$.next", Next = "Slice" }
      Failed = { Type = "Fail", Error = "MigrationFailed", Cause = "The answer of the last Slice says what failed." }
      Done   = { Type = "Succeed" }
    }
  })
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "run" {
  for_each                     = var.environments
  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = each.value.schedule
  schedule_expression_timezone = var.time_zone
  start_date                   = each.value.start

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.has_loop ? aws_sfn_state_machine.loop[0].arn : aws_lambda_function.this.arn
    role_arn = aws_iam_role.scheduler.arn
    input = local.has_loop ? (
      "{\"command\": \"${each.value.command}\", \"environment\": \"${each.key}\", \"continue\": \"answer\", \"scheduledTime\": \"<aws.scheduler.scheduled-time>\", \"executionId\": \"<aws.scheduler.execution-id>\"}"
      ) : (
      "{\"command\": \"${each.value.command}\", \"environment\": \"${each.key}\", \"scheduledTime\": \"<aws.scheduler.scheduled-time>\", \"executionId\": \"<aws.scheduler.execution-id>\"}"
    )

    retry_policy {
      maximum_retry_attempts       = 10
      maximum_event_age_in_seconds = 3600
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }
  }
}

resource "aws_scheduler_schedule" "look" {
  for_each            = var.environments
  name                = "${each.key}-silence"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = "rate(1 hour)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.scheduler.arn
    input    = "{\"command\": \"silence\", \"environment\": \"${each.key}\"}"

    retry_policy {
      maximum_retry_attempts       = 2
      maximum_event_age_in_seconds = 3600
    }
  }
}

resource "aws_cloudwatch_event_rule" "arrival" {
  count       = local.has_arrival ? 1 : 0
  name        = "${var.name}-arrival"
  description = "The manifest of a release, which comes last, has arrived"
  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created"]
    detail = {
      bucket = { name = [var.bucket_name] }
      object = { key = [{ suffix = "/release.json" }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "arrival" {
  count     = local.has_arrival ? 1 : 0
  rule      = aws_cloudwatch_event_rule.arrival[0].name
  target_id = "function"
  arn       = aws_lambda_function.this.arn

  retry_policy {
    maximum_retry_attempts       = 10
    maximum_event_age_in_seconds = 3600
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

resource "aws_lambda_permission" "arrival" {
  count         = local.has_arrival ? 1 : 0
  function_name = aws_lambda_function.this.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.arrival[0].arn
}
