package pgserver

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// follow fills s.DataDir with the cluster of a running server, which is down for that moment, and makes s its standby
// by streaming replication. It needs no pg_basebackup, which not every set of binaries has.
func (s *Server) follow(ctx context.Context, primary *Server, settings map[string]string) error {
	if primary.Password != "" {
		return errors.New("a server that demands a password cannot have a standby here")
	}
	if err := primary.Halt(ctx, Fast); err != nil {
		return err
	}
	err := s.account.copyTree(primary.DataDir, s.DataDir)
	if err := errors.Join(err, primary.Restart(ctx, Fast)); err != nil {
		return err
	}
	settings["primary_conninfo"] = fmt.Sprintf("host=127.0.0.1 port=%d user=%s application_name=standby", primary.Port, primary.User)
	if err := s.account.writeFile(filepath.Join(s.DataDir, "standby.signal"), ""); err != nil {
		return fmt.Errorf("make the server a standby: %w", err)
	}
	return nil
}
