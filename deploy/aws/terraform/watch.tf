# Who is told what: alarms, and a dashboard.

resource "aws_sns_topic" "alarms" {
  name = "${var.name}-alarms"
}

resource "aws_sns_topic_subscription" "mail" {
  count     = var.alarm_email != "" ? 1 : 0
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_metric_alarm" "failed" {
  for_each            = var.environments
  alarm_name          = "${var.name}-failed-${each.key}"
  alarm_description   = "A run has failed. The log's last line of the run, run_finished, says why."
  namespace           = "Skein"
  metric_name         = "RunFailed"
  dimensions          = { Environment = each.key }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "silent" {
  for_each            = var.environments
  alarm_name          = "${var.name}-silent-${each.key}"
  alarm_description   = "No run has succeeded for too long, or nobody has looked. Did the schedule fire?"
  namespace           = "Skein"
  metric_name         = "HoursSinceSuccess"
  dimensions          = { Environment = each.key }
  statistic           = "Minimum"
  period              = 3600
  evaluation_periods  = 2
  threshold           = each.value.silence
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "The function could not do its work, for instance because a database does not answer."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = var.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "An event was given up and lies in the queue of dead letters."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = "${var.name}-dead-letters" }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "events_dropped" {
  alarm_name          = "${var.name}-events-dropped"
  alarm_description   = "Lambda has thrown an event away, so a run may not go on."
  namespace           = "AWS/Lambda"
  metric_name         = "AsyncEventsDropped"
  dimensions          = { FunctionName = var.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "recursion_dropped" {
  alarm_name          = "${var.name}-recursion-dropped"
  alarm_description   = "Lambda took a run that goes on for an endless loop. RecursiveLoop has to be Allow."
  namespace           = "AWS/Lambda"
  metric_name         = "RecursiveInvocationsDropped"
  dimensions          = { FunctionName = var.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      { type = "metric", x = 0, y = 0, width = 12, height = 6, properties = { title = "Runs", region = local.region, stat = "Sum", period = 3600, view = "timeSeries",
      metrics = [[{ expression = "SEARCH('{Skein,Environment} MetricName=(\"RunSucceeded\" OR \"RunFailed\" OR \"Continuations\")', 'Sum')" }]] } },
      { type = "metric", x = 12, y = 0, width = 12, height = 6, properties = { title = "Scripts that are left", region = local.region, stat = "Maximum", period = 3600, view = "timeSeries",
      metrics = [[{ expression = "SEARCH('{Skein,Environment,Target} MetricName=\"PendingScripts\"', 'Maximum')" }]] } },
      { type = "metric", x = 0, y = 6, width = 12, height = 6, properties = { title = "Time of scripts and of waits for locks (ms)", region = local.region, stat = "Maximum", period = 3600, view = "timeSeries",
      metrics = [[{ expression = "SEARCH('{Skein,Environment,Target} MetricName=(\"ScriptDuration\" OR \"LockWait\")', 'Maximum')" }]] } },
      { type = "metric", x = 12, y = 6, width = 12, height = 6, properties = { title = "Function", region = local.region, stat = "Sum", period = 3600, view = "timeSeries",
      metrics = [["AWS/Lambda", "Errors", "FunctionName", var.name], ["AWS/Lambda", "Throttles", "FunctionName", var.name], ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-dead-letters", { stat = "Maximum" }]] } },
      { type = "log", x = 0, y = 12, width = 24, height = 8, properties = { title = "Runs that have ended", region = local.region, view = "table",
      query = "SOURCE '/aws/lambda/${var.name}' | fields @timestamp, environment, target, status, applied, pending, milliseconds, error.script, error.message | filter event = 'run_finished' | sort @timestamp desc | limit 50" } },
    ]
  })
}
