package wire

import (
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
