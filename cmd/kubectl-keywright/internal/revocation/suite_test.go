package revocation

import (
	"testing"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/rotate"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/token"
)

func TestMain(m *testing.M) {
	plugintest.Main(m, RevokeCommand, ListCommand, rotate.Command, token.LoginCommand, token.VerifyCommand)
}
