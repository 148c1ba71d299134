package awstest

import (
	"fmt"
	"strings"
)

// plan reads what the resources of a stack come to.
func (s *stack) plan() (*Plan, error) {
	p := &Plan{Roles: map[string][]Statement{}, Resources: map[string][]Statement{}, Alarms: map[string]Alarm{}, Schedules: map[string]Schedule{}}
	for _, r := range s.of("AWS::IAM::Role") {
		who := strings.TrimSuffix(str(at(r, "AssumeRolePolicyDocument", "Statement", "0", "Principal", "Service")), ".amazonaws.com")
		for _, item := range listOf(r["Policies"]) {
			statements, err := policy(at(item, "PolicyDocument"))
			if err != nil {
				return nil, fmt.Errorf("the role of %s: %w", who, err)
			}
			p.Roles[who] = append(p.Roles[who], statements...)
		}
		if len(listOf(r["ManagedPolicyArns"])) > 0 {
			return nil, fmt.Errorf("the role of %s has a managed policy, which says more than it has to", who)
		}
	}
	for kind, name := range map[string]string{"AWS::S3::BucketPolicy": "s3", "AWS::SQS::QueuePolicy": "sqs"} {
		for _, r := range s.of(kind) {
			statements, err := policy(r["PolicyDocument"])
			if err != nil {
				return nil, err
			}
			p.Resources[name] = append(p.Resources[name], statements...)
		}
	}
	for _, r := range s.of("AWS::CloudWatch::Alarm") {
		a := Alarm{
			Name: str(r["AlarmName"]), Namespace: str(r["Namespace"]), Metric: str(r["MetricName"]), Statistic: str(r["Statistic"]),
			Comparison: str(r["ComparisonOperator"]), Missing: str(r["TreatMissingData"]), Dimensions: map[string]string{},
			Period: int(number(r["Period"])), Periods: int(number(r["EvaluationPeriods"])), Threshold: number(r["Threshold"]), Actions: len(listOf(r["AlarmActions"])),
		}
		for _, d := range listOf(r["Dimensions"]) {
			a.Dimensions[str(at(d, "Name"))] = str(at(d, "Value"))
		}
		p.Alarms[a.Name] = a
	}
	for _, r := range s.of("AWS::Scheduler::Schedule") {
		e := Schedule{
			Name: str(r["Name"]), Group: str(r["GroupName"]), Expression: str(r["ScheduleExpression"]), Zone: str(r["ScheduleExpressionTimezone"]),
			Start: str(r["StartDate"]), Window: str(at(r, "FlexibleTimeWindow", "Mode")), Target: str(at(r, "Target", "Arn")), Role: str(at(r, "Target", "RoleArn")),
			Input: str(at(r, "Target", "Input")), DeadLetters: str(at(r, "Target", "DeadLetterConfig", "Arn")),
			Attempts: int(number(at(r, "Target", "RetryPolicy", "MaximumRetryAttempts"))), Age: int(number(at(r, "Target", "RetryPolicy", "MaximumEventAgeInSeconds"))),
		}
		p.Schedules[e.Name] = e
	}
	s.things(p)
	return p, nil
}

// things reads what there is one of.
func (s *stack) things(p *Plan) {
	for _, r := range s.of("AWS::Lambda::Function") {
		p.Function = Function{
			Runtime: str(r["Runtime"]), DeadLetters: str(at(r, "DeadLetterConfig", "TargetArn")), LogFormat: str(at(r, "LoggingConfig", "LogFormat")),
			LogGroup: str(at(r, "LoggingConfig", "LogGroup")), Recursion: str(r["RecursiveLoop"]), Architectures: texts(r["Architectures"]),
			Timeout: int(number(r["Timeout"])), Memory: int(number(r["MemorySize"])), Reserved: int(number(r["ReservedConcurrentExecutions"])),
			Variables: map[string]string{}, Subnets: texts(at(r, "VpcConfig", "SubnetIds")),
		}
		for name, value := range object(at(r, "Environment", "Variables")) {
			p.Function.Variables[name] = str(value)
		}
	}
	for _, r := range s.of("AWS::Lambda::EventInvokeConfig") {
		p.Function.Retries, p.Function.EventAge = int(number(r["MaximumRetryAttempts"])), int(number(r["MaximumEventAgeInSeconds"]))
	}
	for _, r := range s.of("AWS::Logs::LogGroup") {
		p.Function.LogDays = int(number(r["RetentionInDays"]))
	}
	for _, r := range s.of("AWS::S3::Bucket") {
		closed := object(r["PublicAccessBlockConfiguration"])
		p.Bucket = Bucket{
			Name: str(r["BucketName"]), Versioning: str(at(r, "VersioningConfiguration", "Status")),
			EventBridge: str(at(r, "NotificationConfiguration", "EventBridgeConfiguration", "EventBridgeEnabled")) == "true",
			Closed: str(closed["BlockPublicAcls"]) == "true" && str(closed["BlockPublicPolicy"]) == "true" &&
				str(closed["IgnorePublicAcls"]) == "true" && str(closed["RestrictPublicBuckets"]) == "true",
		}
	}
	for _, r := range s.of("AWS::Events::Rule") {
		p.Arrival = object(r["EventPattern"])
	}
	for _, r := range s.of("AWS::StepFunctions::StateMachine") {
		text := strings.ReplaceAll(str(r["DefinitionString"]), "${FunctionArn}", str(at(r, "DefinitionSubstitutions", "FunctionArn")))
		p.Machine = object(text)
	}
	for _, r := range s.of("AWS::CloudWatch::Dashboard") {
		p.Dashboard = object(r["DashboardBody"])
	}
}
