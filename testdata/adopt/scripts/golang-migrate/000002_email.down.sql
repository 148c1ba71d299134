alter table customer drop email;
