package plan

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	apiyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/rotation"
)

// command is the environment of the commands of this package.
type command struct{ *cli.Env }

// Command returns the command plan.
func Command(env *cli.Env) *cobra.Command {
	c := &command{env}
	var file, output string
	var rotations int
	cmd := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "Print when the next keys of a SigningKey change their states, without a cluster",
		Long: `Print when the next keys of a SigningKey are prepared, activated, retired and removed, as the controller would decide. It needs no
cluster.

If the API server would refuse the SigningKey, the exit code is 1. The file may also contain other documents.`,
		Example: "  kubectl keywright plan -f signingkey.yaml --rotations 5\n  kubectl keywright plan -f signingkey.yaml -o json",
		Args:    cli.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" || rotations < 1 || rotations > 1000 {
				return cli.Usagef("plan needs -f FILE, and --rotations must be between 1 and 1000")
			}
			if output != "" && output != "json" {
				return cli.Usagef("--output must be json, not %q", output)
			}
			key, err := c.readSigningKey(cmd.Context(), file)
			if err != nil {
				return err
			}
			policy, _ := desired.PolicyOf(key)
			return c.printCalendar(calendar(c.Now().UTC().Truncate(time.Second), policy, rotations), policy, output)
		},
	}
	cmd.Flags().StringVarP(&file, "filename", "f", "", "`FILE` with a SigningKey, - for standard input")
	cmd.Flags().IntVar(&rotations, "rotations", 3, "number of rotations")
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, for programs")
	return cmd
}

// readSigningKey reads the SigningKey of a file, with the defaults of the API server. It returns an error if the API server would refuse it.
func (c *command) readSigningKey(ctx context.Context, file string) (*keywrightv1alpha1.SigningKey, error) {
	b, err := c.ReadFile(ctx, file)
	if err != nil {
		return nil, err
	}
	object, err := findSigningKey(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	delete(object, "status") // as the API server does
	if err := admit(object); err != nil {
		return nil, cli.Negativef("%s: %w", file, err)
	}
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var key keywrightv1alpha1.SigningKey
	if err := yaml.UnmarshalStrict(text, &key); err != nil {
		return nil, cli.Negativef("%s: %w", file, err)
	}
	return &key, nil
}

// findSigningKey returns the only SigningKey among the documents of a file.
func findSigningKey(b []byte) (map[string]any, error) {
	var found []map[string]any
	documents := apiyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(b)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var object map[string]any
		if err := errors.Join(err, yaml.UnmarshalStrict(document, &object)); err != nil {
			return nil, err
		}
		if object["kind"] == "SigningKey" && object["apiVersion"] == keywrightv1alpha1.GroupVersion().String() {
			found = append(found, object)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("it has %d SigningKeys of %s, and must have exactly one", len(found), keywrightv1alpha1.GroupVersion())
	}
	return found[0], nil
}

// plannedMove is one change of the state of a key.
type plannedMove struct {
	Time   time.Time `json:"time"`
	Move   string    `json:"move"`
	Key    string    `json:"key"`
	Reason string    `json:"reason"`
}

// calendar calls rotation.Plan, as the controller does, with a clock that advances to the next change, and with writes that never fail.
func calendar(now time.Time, policy rotation.Policy, rotations int) (moves []plannedMove) {
	var ring rotation.Keyring
	var secret rotation.Secret
	keys := 0
	for activated := 0; activated <= rotations; {
		d := rotation.Plan(now, policy, ring, rotation.Observed{At: now, Secret: secret})
		if d.Wanted != nil {
			keys++
			d.Prepare(now, rotation.Material{ID: fmt.Sprintf("key %d", keys), Public: []byte("{}"), Private: []byte("{}")})
		}
		if d.WantedSealing {
			d.PrepareSealing(now, make(rotation.SealingSecret, rotation.SealingSecretBytes), policy)
		}
		for _, move := range d.Moves {
			moves = append(moves, plannedMove{now, string(move.Kind), move.KeyID, string(move.Reason)})
			if move.Kind == rotation.Activate {
				activated++
			}
		}
		same := d.Next.Equal(ring)
		ring = d.Next
		secret = secretOf(ring)
		if !same {
			continue
		}
		if d.Wake.IsZero() || (policy.Manual && activated > 0) { // only sealing keys change from here on, and are not printed
			break
		}
		now = d.Wake
	}
	return moves
}

// secretOf returns the signing-key Secret of a keyring.
func secretOf(ring rotation.Keyring) rotation.Secret {
	secret := rotation.Secret{Present: true, Generation: ring.Generation, Published: ring.PublishedIDs()}
	for i := range ring.Sealing {
		secret.Sealing = append(secret.Sealing, ring.Sealing[i].Number)
	}
	if s := ring.SealingInUse(); s != nil {
		secret.SealingInUse = s.Number
	}
	if a := ring.Active(); a != nil {
		secret.ActiveID = a.ID
	}
	return secret
}

func (c *command) printCalendar(moves []plannedMove, policy rotation.Policy, output string) error {
	if output != "" {
		return c.PrintObject(output, map[string]any{"moves": moves})
	}
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	cli.Printf(table, "WHEN\tMOVE\tKEY\tWHY\n")
	for _, move := range moves {
		cli.Printf(table, "%s\t%s\t%s\t%s\n", move.Time.Format(time.RFC3339), move.Move, move.Key, move.Reason)
	}
	if policy.Manual {
		cli.Printf(table, "\t\t\tno further change without a request\n")
	}
	return table.Flush()
}
