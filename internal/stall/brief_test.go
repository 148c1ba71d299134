package stall

import "testing"

func TestBrief(t *testing.T) {
	t.Parallel()
	for want, statements := range map[bool][]string{
		true: {
			"alter table t add a int", "alter table if exists only a.t add column a text not null default 'x', drop column b", "alter table t alter a drop not null",
			"alter table t alter column a set default f(1)", "alter table t add constraint c check (a > 0) not valid", "alter table t add foreign key (a) references u not valid",
			"alter table t rename a to b", "alter table t drop constraint c", "alter table t enable row level security", "alter table t set (fillfactor = 70), alter a set storage plain",
			"alter table t detach partition p", "drop table t", "drop index i", "truncate t", "create trigger g before insert on t execute function f()", "create or replace view v as select 1",
			"lock table t",
		},
		false: {
			"alter table t add a int default f()", "alter table t add a serial", "alter table t add a int check (a > 0)", "alter table t add a int references u",
			"alter table t alter a type bigint", "alter table t alter a set not null", "alter table t add check (a > 0)", "alter table t add primary key (a)",
			"alter table t add a int, alter b type bigint", "alter table t validate constraint c", "alter table t attach partition p for values in (1)", "alter table t set logged",
			"create index on t(a)", "create table t(a int)", "insert into t values (1)", "cluster t", "vacuum full t", "refresh materialized view m", "do $$ begin drop table t; execute 'drop'; end $$",
		},
	} {
		for _, s := range statements {
			if got := Of(s).Brief; got != want {
				t.Errorf("%s: %t", s, got)
			}
		}
	}
}
