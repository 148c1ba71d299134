resource "aws_iam_role" "function" {
  name_prefix = "${var.name}-function-"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "function" {
  name = "skein"
  role = aws_iam_role.function.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Logs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.name}:*"
        },
        {
          Sid      = "DeadLetters"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = aws_sqs_queue.dead_letters.arn
        },
        {
          Sid      = "ReadScripts"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:GetObjectVersion"]
          Resource = "arn:${local.partition}:s3:::${var.bucket_name}/${var.prefix}*"
        },
        {
          Sid       = "ListScripts"
          Effect    = "Allow"
          Action    = "s3:ListBucket"
          Resource  = "arn:${local.partition}:s3:::${var.bucket_name}"
          Condition = { StringLike = { "s3:prefix" = "${var.prefix}*" } }
        },
        {
          Sid      = "LastSuccess"
          Effect   = "Allow"
          Action   = "cloudwatch:GetMetricStatistics"
          Resource = "*"
        },
      ],
      local.goes_on_itself ? [{
        Sid      = "GoOn"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = local.function_arn
      }] : [],
      var.login_arn != "" ? [{
        Sid      = "ReadSecret"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = var.login_arn
      }] : [],
      var.key_arn != "" ? [{
        Sid      = "DecryptSecret"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = var.key_arn
      }] : [],
      var.database_user_arn != "" ? [{
        Sid      = "DatabaseLogin"
        Effect   = "Allow"
        Action   = "rds-db:connect"
        Resource = var.database_user_arn
      }] : [],
      var.instance != "" ? [{
        Sid    = "RunOnHost"
        Effect = "Allow"
        Action = "ssm:SendCommand"
        Resource = [
          "arn:${local.partition}:ssm:${local.region}::document/AWS-RunShellScript",
          "arn:${local.partition}:ec2:${local.region}:${local.account}:instance/${var.instance}",
        ]
      }] : [],
      var.instance != "" ? [{
        Sid      = "HearFromHost"
        Effect   = "Allow"
        Action   = "ssm:GetCommandInvocation"
        Resource = "*"
      }] : [],
      length(var.subnet_ids) > 0 ? [{
        Sid    = "NetworkInterfaces"
        Effect = "Allow"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = "*"
      }] : [],
    )
  })
}

resource "aws_iam_role" "loop" {
  count       = local.has_loop ? 1 : 0
  name_prefix = "${var.name}-loop-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "states.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "loop" {
  count = local.has_loop ? 1 : 0
  name  = "skein"
  role  = aws_iam_role.loop[0].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "CallFunction", Effect = "Allow", Action = "lambda:InvokeFunction", Resource = aws_lambda_function.this.arn }]
  })
}

resource "aws_iam_role" "scheduler" {
  name_prefix = "${var.name}-scheduler-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  name = "skein"
  role = aws_iam_role.scheduler.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Sid = "CallFunction", Effect = "Allow", Action = "lambda:InvokeFunction", Resource = aws_lambda_function.this.arn },
        { Sid = "KeepWhatFailed", Effect = "Allow", Action = "sqs:SendMessage", Resource = aws_sqs_queue.dead_letters.arn },
      ],
      local.has_loop ? [{ Sid = "StartLoop", Effect = "Allow", Action = "states:StartExecution", Resource = aws_sfn_state_machine.loop[0].arn }] : [],
    )
  })
}
