package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/aws"
	"github.com/skein-db/skein/internal/config"
)

// badKeys are what services say of credentials that they do not take.
var badKeys = []string{"UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature",
	"ExpiredToken", "ExpiredTokenException", "MissingAuthenticationToken"}

// awsError gives failures of calls to AWS their kind. needs are the permissions of what was tried.
func awsError(err error, needs string) error {
	if _, ok := errors.AsType[config.Mistakes](err); ok {
		return err
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*skein.Error](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	tell := func(kind skein.Kind, message, hint string) error {
		return &skein.Error{Kind: kind, Code: "ERROR", Message: message, Hint: hint, Err: err}
	}
	if e, ok := errors.AsType[*aws.NoCredentials](err); ok {
		return tell(skein.KindConfig, "nothing was asked of AWS: "+e.Error(), "set AWS_REGION, and AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role")
	}
	e, ok := errors.AsType[*aws.Error](err)
	switch {
	case !ok:
		return tell(skein.KindConnection, err.Error(), "look at the network, AWS_REGION and AWS_ENDPOINT_URL; running the command again is safe")
	case errors.Is(err, aws.ErrNotFound):
		return tell(skein.KindConfig, err.Error(), "skein aws schedule list shows those that there are; look at --group too")
	case e.Kind == "AccessDeniedException" || e.Kind == "AccessDenied":
		return tell(skein.KindConnection, "access denied: "+e.Error(), "allow "+needs)
	case slices.Contains(badKeys, e.Kind):
		return tell(skein.KindConnection, "AWS refused the credentials: "+e.Error(), "sign in again, or look at AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_REGION and this machine's clock")
	case e.Kind == "ValidationException" || e.Kind == "ResourceNotFoundException":
		return tell(skein.KindConfig, "AWS refused it: "+e.Error(), "correct what the message names; nothing was changed")
	case e.Kind == "ConflictException" || e.Kind == "ServiceQuotaExceededException":
		return tell(skein.KindRefused, "AWS refused it: "+e.Error(), "somebody else may be changing it: run the command again, which looks first")
	}
	return tell(skein.KindConnection, "AWS refused it: "+e.Error(), "running the command again is safe")
}
