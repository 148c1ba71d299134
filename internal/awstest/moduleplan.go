package awstest

import "fmt"

// plan reads what the resources of a module come to.
func (m *module) plan() (*Plan, error) {
	p := &Plan{Roles: map[string][]Statement{}, Resources: map[string][]Statement{}, Alarms: map[string]Alarm{}, Schedules: map[string]Schedule{}}
	for _, r := range m.things["aws_iam_role_policy"] {
		statements, err := policy(r["policy"])
		if err != nil {
			return nil, err
		}
		p.Roles[str(r["role"])] = append(p.Roles[str(r["role"])], statements...)
	}
	if len(m.things["aws_iam_role_policy_attachment"]) > 0 {
		return nil, fmt.Errorf("a role has a managed policy, which says more than it has to")
	}
	for kind, name := range map[string]string{"aws_s3_bucket_policy": "s3", "aws_sqs_queue_policy": "sqs"} {
		for _, r := range m.things[kind] {
			statements, err := policy(r["policy"])
			if err != nil {
				return nil, err
			}
			p.Resources[name] = append(p.Resources[name], statements...)
		}
	}
	for _, r := range m.things["aws_cloudwatch_metric_alarm"] {
		a := Alarm{
			Name: str(r["alarm_name"]), Namespace: str(r["namespace"]), Metric: str(r["metric_name"]), Statistic: str(r["statistic"]),
			Comparison: str(r["comparison_operator"]), Missing: str(r["treat_missing_data"]), Dimensions: map[string]string{},
			Period: int(number(r["period"])), Periods: int(number(r["evaluation_periods"])), Threshold: number(r["threshold"]), Actions: len(listOf(r["alarm_actions"])),
		}
		for name, value := range object(r["dimensions"]) {
			a.Dimensions[name] = str(value)
		}
		p.Alarms[a.Name] = a
	}
	for _, r := range m.things["aws_scheduler_schedule"] {
		e := Schedule{
			Name: str(r["name"]), Group: str(r["group_name"]), Expression: str(r["schedule_expression"]), Zone: str(r["schedule_expression_timezone"]),
			Start: str(r["start_date"]), Window: str(at(r, "flexible_time_window", "mode")), Target: str(at(r, "target", "arn")), Role: str(at(r, "target", "role_arn")),
			Input: str(at(r, "target", "input")), DeadLetters: str(at(r, "target", "dead_letter_config", "arn")),
			Attempts: int(number(at(r, "target", "retry_policy", "maximum_retry_attempts"))), Age: int(number(at(r, "target", "retry_policy", "maximum_event_age_in_seconds"))),
		}
		p.Schedules[e.Name] = e
	}
	m.thingsOf(p)
	return p, nil
}

// thingsOf reads what there is one of.
func (m *module) thingsOf(p *Plan) {
	for _, r := range m.things["aws_lambda_function"] {
		p.Function = Function{
			Runtime: str(r["runtime"]), DeadLetters: str(at(r, "dead_letter_config", "target_arn")), LogFormat: str(at(r, "logging_config", "log_format")),
			LogGroup: str(at(r, "logging_config", "log_group")), Architectures: texts(r["architectures"]),
			Timeout: int(number(r["timeout"])), Memory: int(number(r["memory_size"])), Reserved: int(number(r["reserved_concurrent_executions"])),
			Variables: map[string]string{}, Subnets: texts(at(r, "vpc_config", "subnet_ids")),
		}
		for name, value := range object(at(r, "environment", "variables")) {
			p.Function.Variables[name] = str(value)
		}
	}
	for _, r := range m.things["aws_lambda_function_recursion_config"] {
		p.Function.Recursion = str(r["recursive_loop"])
	}
	for _, r := range m.things["aws_lambda_function_event_invoke_config"] {
		p.Function.Retries, p.Function.EventAge = int(number(r["maximum_retry_attempts"])), int(number(r["maximum_event_age_in_seconds"]))
	}
	for _, r := range m.things["aws_cloudwatch_log_group"] {
		p.Function.LogDays = int(number(r["retention_in_days"]))
	}
	for _, r := range m.things["aws_s3_bucket"] {
		p.Bucket.Name = str(r["bucket"])
	}
	for _, r := range m.things["aws_s3_bucket_versioning"] {
		p.Bucket.Versioning = str(at(r, "versioning_configuration", "status"))
	}
	for _, r := range m.things["aws_s3_bucket_notification"] {
		p.Bucket.EventBridge = str(r["eventbridge"]) == "true"
	}
	for _, r := range m.things["aws_s3_bucket_public_access_block"] {
		p.Bucket.Closed = str(r["block_public_acls"]) == "true" && str(r["block_public_policy"]) == "true" &&
			str(r["ignore_public_acls"]) == "true" && str(r["restrict_public_buckets"]) == "true"
	}
	for _, r := range m.things["aws_cloudwatch_event_rule"] {
		p.Arrival = object(r["event_pattern"])
	}
	for _, r := range m.things["aws_sfn_state_machine"] {
		p.Machine = object(r["definition"])
	}
	for _, r := range m.things["aws_cloudwatch_dashboard"] {
		p.Dashboard = object(r["dashboard_body"])
	}
}
