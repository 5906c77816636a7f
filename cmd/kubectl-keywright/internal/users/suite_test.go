package users

import (
	"testing"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

func TestMain(m *testing.M) { plugintest.Main(m, Command) }
