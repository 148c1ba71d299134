package wire

import (
	"context"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/notify"
	"github.com/skein-db/skein/internal/secret"
)

// notifyKeys are the settings of notifications that may be references.
var notifyKeys = []string{"skein.notify.slack", "skein.notify.webhook", "skein.notify.webhookSecret", "skein.notify.smtp"}

// Notifications says who is told of what, with all references asked now. Its error is config.Mistakes.
func (w World) Notifications(ctx context.Context, s *config.Settings, secrets *secret.Redactor) (notify.Settings, error) {
	now, err := s.Resolved(ctx, w.asker(s, secrets), notifyKeys...)
	if err != nil {
		return notify.Settings{}, err
	}
	secrets.AddText(now.Secrets()...)
	n := notify.Settings{
		Slack: now.Secret("skein.notify.slack"), Webhook: now.Secret("skein.notify.webhook"), WebhookSecret: now.Secret("skein.notify.webhookSecret"),
		SMTP: now.Secret("skein.notify.smtp"), From: now.Text("skein.notify.from"), To: now.List("skein.notify.to"), Redact: secrets.String,
	}
	for _, kind := range now.List("skein.notify.on") {
		n.On = append(n.On, notify.Kind(kind))
	}
	return n, nil
}
