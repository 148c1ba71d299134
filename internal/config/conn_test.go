package config_test

import "github.com/jackc/pgx/v5"

// parseConn is user and password as pgx reads them.
func parseConn(text string) (string, error) {
	cfg, err := pgx.ParseConfig(text)
	if err != nil {
		return "", err
	}
	return cfg.User + " " + cfg.Password, nil
}
