package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	skein "github.com/skein-db/skein"
)

// chapter is a part of the demo. A test leaves one out.
type chapter struct {
	name  string
	title string
	play  func(*show, context.Context) error
}

func story() []chapter {
	return []chapter{
		{"dev", "dev is empty. The shop's schema is deployed to it.", (*show).deployDev},
		{"by hand", "In qa somebody was quicker: orders were tried out by hand, and forgotten.", (*show).tryOutByHand},
		{"failure", "The same deployment to qa fails half way.", (*show).failInQA},
		{"repair", "The repair: compare, then move the table away with all its rows.", (*show).repair},
		{"qa", "The same command again. It goes on where it stopped.", (*show).deployQA},
		{"rows", "The rows that were made by hand come home.", (*show).bringRowsHome},
		{"equal", "Both databases, side by side.", (*show).compare},
	}
}

// What somebody typed in qa.
const byHand = `
create schema shop;
create table shop.orders (
    id       serial primary key,
    customer text not null,
    state    text,
    ordered  date default current_date
);
insert into shop.orders (customer, state) values
    ('ada@example.com', 'paid'), ('bo@example.com', 'new');`

const moveAway = `
create schema by_hand;
alter table shop.orders set schema by_hand;`

const comeHome = `
insert into shop.orders (customer_id, status, ordered_at)
select c.id, coalesce(h.state, 'new')::shop.order_status, h.ordered
from by_hand.orders h join shop.customers c on c.email = h.customer;`

const dropByHand = `
drop table by_hand.orders;
drop schema by_hand;`

func (s *show) deployDev(ctx context.Context) error {
	result, err := s.migrate(ctx, &s.dev)
	if err != nil {
		return err
	}
	s.verb("done", fmt.Sprintf("%s applied, now at version %s", count(len(result.Applied), "script"), result.Version))
	return nil
}

func (s *show) tryOutByHand(ctx context.Context) (err error) {
	s.sql(&s.qa, byHand)
	s.byHand, err = execute(ctx, s.qa.url(), byHand)
	return err
}

// failInQA expects one failure: the table that V4 creates exists.
func (s *show) failInQA(ctx context.Context) error {
	result, err := s.migrate(ctx, &s.qa)
	var failure *skein.Error
	switch {
	case err == nil:
		return errors.New("qa was to refuse the table that is there already, but every script went through")
	case !errors.As(err, &failure) || failure.SQL == nil || failure.SQL.State != "42P07":
		return err
	}
	s.gap()
	s.block(failure.Error())
	s.gap()
	return s.whatWasKept(ctx, result)
}

// whatWasKept does not believe the message, but asks the database.
func (s *show) whatWasKept(ctx context.Context, result *skein.MigrateResult) error {
	info, err := skein.Info(ctx, s.config(&s.qa))
	if err != nil {
		return err
	}
	var applied, pending []string
	for _, e := range info.Entries {
		name, _, _ := strings.Cut(e.Path(), "__")
		if e.State.Applied() {
			applied = append(applied, name)
		} else {
			pending = append(pending, name)
		}
	}
	if len(applied) != len(result.Applied) {
		return fmt.Errorf("%d scripts were applied in qa, but its history has %d: %s", len(result.Applied), len(applied), strings.Join(applied, ", "))
	}
	types, err := texts(ctx, s.qa.url(), "select typname from pg_type where typname = 'order_status'")
	if err != nil {
		return err
	}
	if len(types) > 0 {
		return errors.New("V4 failed in qa, but the type that it created before the error is still there")
	}
	s.say("Is that so? In qa's history %s are applied and %s are pending, and the type shop.order_status, which V4 created before it failed, is not there.",
		strings.Join(applied, ", "), strings.Join(pending, ", "))
	return nil
}

func (s *show) repair(ctx context.Context) error {
	dev, err := columns(ctx, s.dev.url())
	if err != nil {
		return err
	}
	qa, err := columns(ctx, s.qa.url())
	if err != nil {
		return err
	}
	s.line("  %-12s %-28s %s", "shop.orders", "dev, made by the scripts", "qa, made by hand")
	for _, name := range union(dev, qa) {
		s.line("  %-12s %-28s %s", name, orDash(dev[name]), orDash(qa[name]))
	}
	s.gap()
	s.say("One name, two shapes, and %s in qa that somebody may need.", count(int(s.byHand), "row"))
	s.gap()
	s.sql(&s.qa, moveAway)
	_, err = execute(ctx, s.qa.url(), moveAway)
	return err
}

func (s *show) deployQA(ctx context.Context) error {
	result, err := s.migrate(ctx, &s.qa)
	if err != nil {
		return err
	}
	s.verb("done", fmt.Sprintf("%s applied, now at version %s", count(len(result.Applied), "script"), result.Version))
	return nil
}

// bringRowsHome drops what was made by hand only when every row of it arrived.
func (s *show) bringRowsHome(ctx context.Context) error {
	s.sql(&s.qa, comeHome)
	moved, err := execute(ctx, s.qa.url(), comeHome)
	if err != nil {
		return err
	}
	s.line("  INSERT 0 %d", moved)
	if moved != s.byHand {
		return fmt.Errorf("%d of the %d rows made by hand found a place in shop.orders; by_hand.orders still has all", moved, s.byHand)
	}
	s.sql(&s.qa, dropByHand)
	_, err = execute(ctx, s.qa.url(), dropByHand)
	return err
}

func (s *show) config(e *environment) skein.Config {
	return skein.Config{URL: e.url(), Source: s.scripts}
}

// migrate shows the command and what happens.
func (s *show) migrate(ctx context.Context, e *environment) (*skein.MigrateResult, error) {
	s.command(fmt.Sprintf(`skein -url="$%s" -locations=filesystem:sql migrate`, strings.ToUpper(e.name)))
	cfg := s.config(e)
	cfg.Report = s.reporter()
	return skein.Migrate(ctx, cfg)
}

func (s *show) reporter() func(skein.Event) {
	outside := ""
	return func(event skein.Event) {
		switch e := event.(type) {
		case skein.Warning:
			s.verb("warning", e.Text)
		case skein.Notice:
			s.verb(strings.ToLower(e.Severity), e.Text)
		case skein.StepStarted:
			outside = ""
			if !e.Transactional {
				outside = ", outside a transaction"
			}
		case skein.StepDone:
			s.line("  %-9s %-22s %-12s %3d ms%s", "applied", e.Script.Path, count(e.Statements, "statement"), e.Took.Milliseconds(), outside)
		}
	}
}

// infoRows is what the demo's info tables show.
func infoRows(info *skein.InfoResult) [][]string {
	var rows [][]string
	for _, e := range info.Entries {
		version := e.Version().String()
		if e.Version().IsZero() {
			version = ""
		}
		rows = append(rows, []string{version, e.Description(), string(e.State)})
	}
	return rows
}
