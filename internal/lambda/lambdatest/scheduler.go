package lambdatest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// AccountID is the account that STS knows.
const AccountID = "123456789012"

// Scheduler is EventBridge Scheduler and STS, as far as schedules go: it checks signatures, and what it is given as the real
// one does.
type Scheduler struct {
	api *httptest.Server

	mu        sync.Mutex
	schedules map[string]map[string]any // by group/name
	groups    []string
	writes    []string
	denied    string // an action
	busy      int
	skew      time.Duration
}

// StartScheduler starts it; it ends with the test.
func StartScheduler(t testing.TB) *Scheduler {
	s := &Scheduler{schedules: map[string]map[string]any{}, groups: []string{"default"}}
	s.api = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.api.Close)
	return s
}

// Env is what a program needs to find it, "NAME=value".
func (s *Scheduler) Env() []string {
	return []string{"AWS_ENDPOINT_URL=" + s.api.URL, "AWS_REGION=" + Region, "AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey, "AWS_SESSION_TOKEN=" + SessionToken,
		"AWS_EC2_METADATA_DISABLED=true"}
}

// Group makes a group of schedules.
func (s *Scheduler) Group(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups = append(s.groups, name)
}

// Deny refuses an action from now on, "scheduler:GetSchedule"; "" refuses none.
func (s *Scheduler) Deny(action string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = action
}

// Busy answers the next n calls with a throttling error.
func (s *Scheduler) Busy(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = n
}

// Skew has STS's clock go before ours by that.
func (s *Scheduler) Skew(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = by
}

// Put writes a schedule as somebody else does, without a check; the text is what GetSchedule gives.
func (s *Scheduler) Put(group, name, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := map[string]any{}
	if err := json.Unmarshal([]byte(text), &held); err != nil {
		return err
	}
	s.keep(group, name, held)
	return nil
}

// Held is a schedule as GetSchedule gives it, "" for none.
func (s *Scheduler) Held(group, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.schedules[group+"/"+name]
	if !ok {
		return ""
	}
	text, _ := json.Marshal(held) // it was JSON
	return string(text)
}

// Writes are the calls so far that changed something, "POST dev".
func (s *Scheduler) Writes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

// keep fills in what the service says of a schedule by itself.
func (s *Scheduler) keep(group, name string, held map[string]any) {
	held = maps.Clone(held)
	delete(held, "ClientToken")
	held["Name"], held["GroupName"] = name, group
	held["Arn"] = fmt.Sprintf("arn:aws:scheduler:%s:%s:schedule/%s/%s", Region, AccountID, group, name)
	held["LastModificationDate"] = float64(time.Now().UnixMilli()) / 1000
	if held["CreationDate"] == nil {
		held["CreationDate"] = held["LastModificationDate"]
	}
	for field, otherwise := range map[string]string{"State": "ENABLED", "ScheduleExpressionTimezone": "UTC", "ActionAfterCompletion": "NONE"} {
		if held[field] == nil {
			held[field] = otherwise
		}
	}
	s.schedules[group+"/"+name] = held
}

// refused is an answer that is an error.
type refused struct {
	status     int
	kind, text string
}

func (s *Scheduler) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(string(body), "Action=GetCallerIdentity") {
		s.identity(w, r, body)
		return
	}
	answer, no := s.answer(r, body)
	if no != nil {
		w.Header().Set("X-Amzn-Errortype", no.kind+":http://internal.amazon.com/coral/")
		w.WriteHeader(no.status)
		answer = map[string]any{"Message": no.text}
	}
	_ = json.NewEncoder(w).Encode(answer) // who has gone gets none
}

func (s *Scheduler) identity(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Date", time.Now().Add(s.skew).UTC().Format(http.TimeFormat))
	if err := VerifySignature(r, body, "sts"); err != nil {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>%v</Message></Error></ErrorResponse>", err)
		return
	}
	fmt.Fprintf(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:sts::%s:assumed-role/skein/me</Arn>
		<UserId>AROA:me</UserId><Account>%[1]s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, AccountID)
}

var actions = map[string]string{http.MethodPost: "CreateSchedule", http.MethodPut: "UpdateSchedule", http.MethodGet: "GetSchedule", http.MethodDelete: "DeleteSchedule"}

func (s *Scheduler) answer(r *http.Request, body []byte) (map[string]any, *refused) {
	if err := VerifySignature(r, body, "scheduler"); err != nil {
		return nil, &refused{http.StatusForbidden, "InvalidSignatureException", err.Error()}
	}
	if s.busy > 0 {
		s.busy--
		return nil, &refused{http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded"}
	}
	name, one := strings.CutPrefix(r.URL.Path, "/schedules/")
	action := actions[r.Method]
	if r.URL.Path == "/schedules" && r.Method == http.MethodGet {
		action = "ListSchedules"
	} else if !one {
		return nil, &refused{http.StatusNotFound, "UnknownOperationException", r.URL.Path}
	}
	if s.denied == "scheduler:"+action {
		return nil, &refused{http.StatusForbidden, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/skein/me is not authorized to perform: " + s.denied}
	}
	if action == "ListSchedules" {
		return s.list(r.URL.Query())
	}
	group := r.URL.Query().Get("groupName")
	in := map[string]any{}
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, &refused{http.StatusBadRequest, "SerializationException", err.Error()}
		}
		group, _ = in["GroupName"].(string)
	}
	if group == "" {
		group = "default"
	}
	if !regexp.MustCompile(`^[0-9A-Za-z_.-]{1,64}$`).MatchString(name) {
		return nil, invalid("Value '%s' at 'name' failed to satisfy constraint", name)
	}
	return s.one(r.Method, group, name, in)
}

func invalid(format string, args ...any) *refused {
	return &refused{http.StatusBadRequest, "ValidationException", fmt.Sprintf(format, args...)}
}

func (s *Scheduler) one(method, group, name string, in map[string]any) (map[string]any, *refused) {
	held, there := s.schedules[group+"/"+name]
	gone := &refused{http.StatusNotFound, "ResourceNotFoundException", "Schedule " + name + " does not exist."}
	if method == http.MethodGet {
		if !there {
			return nil, gone
		}
		return held, nil
	}
	s.writes = append(s.writes, method+" "+name)
	if method == http.MethodDelete {
		if !there {
			return nil, gone
		}
		delete(s.schedules, group+"/"+name)
		return map[string]any{}, nil
	}
	switch {
	case !slices.Contains(s.groups, group):
		return nil, &refused{http.StatusNotFound, "ResourceNotFoundException", "Schedule group " + group + " does not exist."}
	case method == http.MethodPost && there:
		return nil, &refused{http.StatusConflict, "ConflictException", "Schedule " + name + " already exists."}
	case method == http.MethodPut && !there:
		return nil, gone
	}
	if no := check(in); no != nil {
		return nil, no
	}
	if there {
		in["CreationDate"] = held["CreationDate"]
	}
	s.keep(group, name, in)
	return map[string]any{"ScheduleArn": s.schedules[group+"/"+name]["Arn"]}, nil
}

// Expressions, as the service documents them.
var (
	rateForm = regexp.MustCompile(`^rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)$`)
	atForm   = regexp.MustCompile(`^at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)$`)
	cronForm = regexp.MustCompile(`^cron\(\S+ \S+ (\S+) \S+ (\S+) \S+\)$`)
	topForm  = []string{"ActionAfterCompletion", "ClientToken", "Description", "EndDate", "FlexibleTimeWindow", "GroupName", "KmsKeyArn", "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "State", "Target"}
)

// check says what is wrong with a schedule that is to be written.
func check(in map[string]any) *refused {
	for field := range in {
		if !slices.Contains(topForm, field) {
			return invalid("unknown field %s", field) // the real one passes over it, and nobody would know
		}
	}
	text := func(of map[string]any, field string) string {
		value, _ := of[field].(string)
		return value
	}
	expression := text(in, "ScheduleExpression")
	cron := cronForm.FindStringSubmatch(expression)
	if !rateForm.MatchString(expression) && !atForm.MatchString(expression) && (cron == nil || (cron[1] == "?") == (cron[2] == "?")) {
		return invalid("Invalid Schedule Expression %s.", expression)
	}
	if _, err := time.LoadLocation(text(in, "ScheduleExpressionTimezone")); err != nil {
		return invalid("Invalid Schedule Expression Timezone %s.", text(in, "ScheduleExpressionTimezone"))
	}
	if start, ok := in["StartDate"]; ok {
		seconds, ok := start.(float64)
		if !ok {
			return &refused{http.StatusBadRequest, "SerializationException", "StartDate is no number"}
		}
		if seconds < float64(time.Now().Add(-5*time.Minute).Unix()) {
			return invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
		}
	}
	window, _ := in["FlexibleTimeWindow"].(map[string]any)
	if mode := text(window, "Mode"); mode != "OFF" {
		return invalid("FlexibleTimeWindow.Mode is %q here", mode)
	}
	if state := text(in, "State"); state != "ENABLED" && state != "DISABLED" {
		return invalid("State is %q", state)
	}
	target, _ := in["Target"].(map[string]any)
	if len(text(in, "ClientToken")) < 1 || len(text(in, "ClientToken")) > 64 {
		return invalid("ClientToken %q", text(in, "ClientToken"))
	}
	if !regexp.MustCompile(`^arn:aws:(lambda|states):`).MatchString(text(target, "Arn")) {
		return invalid("Provided Arn is not in correct format.")
	}
	if !regexp.MustCompile(`^arn:aws:iam::\d{12}:role/`).MatchString(text(target, "RoleArn")) {
		return invalid("RoleArn %q failed to satisfy constraint", text(target, "RoleArn"))
	}
	if letters, ok := target["DeadLetterConfig"].(map[string]any); ok && !strings.HasPrefix(text(letters, "Arn"), "arn:aws:sqs:") {
		return invalid("Provided DeadLetterConfig Arn is not in correct format.")
	}
	return nil
}

// list gives two schedules a page.
func (s *Scheduler) list(query map[string][]string) (map[string]any, *refused) {
	get := func(name string) string { return strings.Join(query[name], "") }
	var names []string
	for _, key := range slices.Sorted(maps.Keys(s.schedules)) {
		group, name, _ := strings.Cut(key, "/")
		if (get("ScheduleGroup") == "" || group == get("ScheduleGroup")) && strings.HasPrefix(name, get("NamePrefix")) {
			names = append(names, key)
		}
	}
	at, err := strconv.Atoi("0" + get("NextToken"))
	if err != nil || at > len(names) {
		return nil, invalid("NextToken")
	}
	page := []any{}
	end := min(at+2, len(names))
	for _, key := range names[at:end] {
		held := s.schedules[key]
		target, _ := held["Target"].(map[string]any)
		page = append(page, map[string]any{"Name": held["Name"], "GroupName": held["GroupName"], "State": held["State"], "Target": map[string]any{"Arn": target["Arn"]}})
	}
	out := map[string]any{"Schedules": page}
	if end < len(names) {
		out["NextToken"] = strconv.Itoa(end)
	}
	return out, nil
}
