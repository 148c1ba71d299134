output "function_name" {
  value = aws_lambda_function.this.function_name
}

output "function_arn" {
  value = aws_lambda_function.this.arn
}

output "bucket_name" {
  value = aws_s3_bucket.scripts.bucket
}

output "scheduler_role_arn" {
  description = "For schedules of one's own that invoke the function"
  value       = aws_iam_role.scheduler.arn
}

output "dead_letters_arn" {
  value = aws_sqs_queue.dead_letters.arn
}

output "alarms_arn" {
  value = aws_sns_topic.alarms.arn
}
