package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/rotation"
)

func (c *cli) planCommand() *cobra.Command {
	var file string
	var rotations int
	cmd := &cobra.Command{
		Use:     "plan -f FILE",
		Short:   "Print the calendar of a SigningKey's next keys, without a cluster",
		Long:    "Print when the next keys of a SigningKey are prepared, sign, retire and leave, as the controller would decide it. It asks no cluster.",
		Example: "  kubectl keywright plan -f signingkey.yaml --rotations 5",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" || rotations < 1 || rotations > 1000 {
				return usage("plan needs -f FILE, and 1 to 1000 --rotations")
			}
			key, err := c.readSigningKey(cmd.Context(), file)
			if err != nil {
				return err
			}
			policy, _ := desired.PolicyOf(key)
			if least := policy.PropagationDelay + policy.MaxLifetime + policy.ClockSkew; policy.Interval < least {
				return fmt.Errorf("spec.rotation.interval is %v: it must be at least propagationDelay + maxLifetime + clockSkew, %v", policy.Interval, least)
			}
			c.printCalendar(policy, rotations)
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "filename", "f", "", "`FILE` with a SigningKey, - for standard input")
	cmd.Flags().IntVar(&rotations, "rotations", 3, "how many rotations")
	return cmd
}

func (c *cli) readSigningKey(ctx context.Context, file string) (*keywrightv1alpha1.SigningKey, error) {
	b, err := c.readFile(ctx, file)
	if err != nil {
		return nil, err
	}
	var key keywrightv1alpha1.SigningKey
	if err := yaml.UnmarshalStrict(b, &key); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if key.Kind != "SigningKey" || key.APIVersion != keywrightv1alpha1.GroupVersion().String() {
		return nil, fmt.Errorf("%s is no SigningKey of %s", file, keywrightv1alpha1.GroupVersion())
	}
	key.Spec.Default()
	return &key, nil
}

// printCalendar runs the core that the controller runs, in a world where every write works and time flies.
func (c *cli) printCalendar(policy rotation.Policy, rotations int) {
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	say(table, "WHEN\tMOVE\tKEY\tWHY\n")
	var ring rotation.Keyring
	var secret rotation.Secret
	keys, now := 0, c.now().UTC().Truncate(time.Second)
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
			say(table, "%s\t%s\t%s\t%s\n", now.Format(time.RFC3339), move.Kind, move.KeyID, move.Reason)
			if move.Kind == rotation.Activate {
				activated++
			}
		}
		same := d.Next.Equal(ring)
		ring = d.Next
		secret = rotation.Secret{Present: true, Generation: ring.Generation, Published: ring.PublishedIDs()}
		for i := range ring.Sealing {
			secret.Sealing = append(secret.Sealing, ring.Sealing[i].Number)
		}
		if s := ring.SealingInUse(); s != nil {
			secret.SealingInUse = s.Number
		}
		if a := ring.Active(); a != nil {
			secret.ActiveID = a.ID
		}
		if !same {
			continue
		}
		if d.Wake.IsZero() {
			say(table, "\t\t\tnothing more happens unless it is asked for\n")
			break
		}
		now = d.Wake
	}
	_ = table.Flush()
}
