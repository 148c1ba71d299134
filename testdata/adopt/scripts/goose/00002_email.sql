-- +goose Up
-- +goose StatementBegin
create function shout(t text) returns text language sql as $$ select upper(t); $$;
-- +goose StatementEnd
alter table customer add email text;

-- +goose Down
alter table customer drop email;
drop function shout;
