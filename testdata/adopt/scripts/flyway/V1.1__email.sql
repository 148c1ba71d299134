alter table customer add email text;
