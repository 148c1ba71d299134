package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/skein-db/skein/internal/release"
)

// signer gives what signs with a key file: the key itself, or ssh-keygen where the key is protected by a passphrase, or is
// a public one whose other half an agent holds.
func (r *runner) signer(ctx context.Context, file string) release.Signer {
	return func(namespace string, message []byte) (release.Signature, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return release.Signature{}, err
		}
		if _, err := release.ParsePublicKey(string(text)); err == nil {
			return r.signBySSH(ctx, file, namespace, message)
		}
		key, err := release.ParsePrivateKey(text)
		switch {
		case errors.Is(err, release.ErrLocked) && bytes.Contains(text, []byte("BEGIN OPENSSH")):
			return r.signBySSH(ctx, file, namespace, message)
		case err != nil:
			return release.Signature{}, fmt.Errorf("%s: %w", file, err)
		case bytes.Contains(text, []byte("BEGIN OPENSSH")):
			return key.Sign(namespace, message)
		}
		return key.SignRaw(namespace, message)
	}
}

// signBySSH has OpenSSH sign, which asks the agent, or a person for the passphrase.
func (r *runner) signBySSH(ctx context.Context, file, namespace string, message []byte) (release.Signature, error) {
	cmd := exec.CommandContext(ctx, "ssh-keygen", "-Y", "sign", "-n", namespace, "-f", file)
	cmd.Stdin, cmd.Env = bytes.NewReader(message), r.process.Env
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return release.Signature{}, fmt.Errorf("ssh-keygen -Y sign -f %s: %s", file, strings.TrimSpace(string(failed.Stderr)))
	}
	if err != nil {
		return release.Signature{}, fmt.Errorf("%s takes ssh-keygen to sign: %w", file, err)
	}
	return release.FromSSH(out)
}
