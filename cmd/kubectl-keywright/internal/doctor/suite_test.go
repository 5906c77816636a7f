package doctor

import (
	"testing"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/rotate"
)

func TestMain(m *testing.M) { plugintest.Main(m, Command, rotate.Command) }
