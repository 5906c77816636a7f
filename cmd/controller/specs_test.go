package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/controllers/controlplanetest"
)

var (
	sequences    = flag.Int("sequences", 20, "how many sequences of specs TestRandomSpecs tries")
	sequenceSeed = flag.Uint64("sequence-seed", 0, "the one sequence that TestRandomSpecs replays")
)

const (
	// sequencesAtOnce share one API server and one controller. sequencesPerCluster run there one after the other.
	sequencesAtOnce, sequencesPerCluster = 12, 60
	// specsConverge is the longest time to converge, even on a busy machine.
	specsConverge = 60 * time.Second
)

// Random sequences of specs, generated from the schema of the CRD, run on the real API server and the real controller:
// a refused spec changes nothing, and the error names the wrong field. An accepted spec converges and can be undone,
// and no live token is rejected meanwhile. (Acto, SOSP 2023: a sequence is all that an operator's users can do to it.)
func TestRandomSpecs(t *testing.T) {
	t.Parallel()
	controlplanetest.Directory(t)
	spec, err := readSchema()
	if err != nil {
		t.Fatal(err)
	}
	all := fieldsOf(spec)
	for _, f := range all {
		if isSelector(f.schema) || f.schema.Type == "array" { // fields that can end trust are changed more often
			all = append(all, f, f, f)
		}
	}
	var seeds []uint64
	for n := range *sequences {
		seeds = append(seeds, uint64(n)+1)
	}
	if *sequenceSeed != 0 {
		seeds = []uint64{*sequenceSeed}
	}
	var total tally
	for some := range slices.Chunk(seeds, sequencesPerCluster) {
		t.Run(fmt.Sprintf("from %d", some[0]), func(t *testing.T) { runSequences(t, all, some, &total) })
	}
	t.Logf("%d sequences: %d specs accepted, %d refused, %d tokens signed", len(seeds), total.accepted, total.refused, total.tokens)
	if len(seeds) >= 20 && (total.accepted < 2*len(seeds) || total.refused < len(seeds)) {
		t.Error("these sequences do not try what they should")
	}
}

// tally counts the steps.
type tally struct{ accepted, refused, tokens int }

func runSequences(t *testing.T, all []field, seeds []uint64, total *tally) {
	c := newCluster(t, t.TempDir())
	watching, err := client.NewWithWatch(c.Config, client.Options{Scheme: c.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	controller := c.runWith(t, c.file("kubeconfig"), "--leader-elect=false")
	until(t, "ready", specsConverge, func(context.Context) bool { return controller.ready() })
	var workers sync.WaitGroup
	var mu sync.Mutex
	work := make(chan uint64)
	for range min(sequencesAtOnce, len(seeds)) {
		workers.Go(func() {
			for seed := range work {
				s := newSequence(watching, controller, all, seed, t.TempDir())
				err := s.run(t.Context())
				mu.Lock()
				total.accepted, total.refused, total.tokens = total.accepted+s.accepted, total.refused+s.refused, total.tokens+s.tokens.signed
				mu.Unlock()
				if err != nil {
					t.Errorf("%v\n%s\nreplay it with -sequence-seed %d", err, s.story(), seed)
				} else if *sequenceSeed != 0 {
					t.Log(s.story())
				}
			}
		})
	}
	for _, seed := range seeds {
		if controller.ended() {
			break
		}
		work <- seed
	}
	close(work)
	workers.Wait()
	if controller.ended() || strings.Contains(controller.said(), "panic") {
		t.Error("the controller ended, or panicked")
	}
}

// sequence is one SigningKey, and its specs in order.
type sequence struct {
	api        client.WithWatch
	controller *process
	generator  *generator
	name       string
	// serverSide is set if specs are applied server-side, for all of a sequence or none.
	serverSide bool
	tokens     tokens
	// asked is the last accepted spec, as it was sent.
	asked map[string]any
	// selected are the namespaces that the last selector selected.
	selected          []string
	accepted, refused int
	steps             []string
}

func newSequence(api client.WithWatch, controller *process, all []field, seed uint64, directory string) *sequence {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), fields: all, name: fmt.Sprintf("specs-%d", seed)}
	return &sequence{
		api: api, controller: controller, generator: g, name: g.name, serverSide: g.IntN(2) == 0,
		tokens: tokens{name: g.name, directory: directory, revoked: map[string]bool{}, verified: map[string]string{}},
	}
}

func (s *sequence) namespace(suffix string) string { return s.name + "-" + suffix }

// run runs the sequence, undoes it, and deletes the SigningKey.
func (s *sequence) run(ctx context.Context) error {
	for _, suffix := range []string{"a", "b"} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace(suffix), Labels: map[string]string{s.name: suffix}}}
		if err := s.api.Create(ctx, ns); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	for _, namespace := range []string{s.namespace("a"), keyNamespace} {
		w, err := s.api.Watch(ctx, &corev1.ConfigMapList{}, client.InNamespace(namespace), client.MatchingFields{"metadata.name": "keywright-jwks"})
		if err != nil {
			return err
		}
		following.Go(func() { s.tokens.follow(ctx, w) })
		defer w.Stop()
	}
	first := s.generator.first()
	if err := s.create(ctx, first); err != nil {
		return fmt.Errorf("the first spec: %w", err)
	}
	began, err := s.look(ctx)
	if err != nil {
		return err
	}
	for n := range 3 + s.generator.IntN(6) {
		if err := s.step(ctx); err != nil {
			return fmt.Errorf("step %d: %w", n+1, err)
		}
	}
	return errors.Join(s.undo(ctx, first, began), s.delete(ctx))
}

// undo sends the first spec again, and checks that nothing has changed since except keys.
func (s *sequence) undo(ctx context.Context, first map[string]any, began *sight) error {
	if err := s.try(ctx, proposal{spec: first}); err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	ended, err := s.look(ctx)
	if err != nil {
		return err
	}
	return began.same(ended)
}

// step changes the last accepted spec.
func (s *sequence) step(ctx context.Context) error {
	seen, err := s.look(ctx)
	if err != nil {
		return err
	}
	var kids []string
	for _, k := range seen.key.Status.Keys {
		kids = append(kids, k.KeyID)
	}
	changes := s.generator.changes(s.asked, kids)
	if err := s.try(ctx, proposal{spec: with(s.asked, changes), changes: changes}); err != nil {
		return err
	}
	if s.generator.IntN(4) > 0 {
		return nil
	}
	letPass(ctx, 4*time.Second) // keys rotate, and are removed
	return s.converge(ctx)
}

// story returns the steps.
func (s *sequence) story() string {
	how := "update"
	if s.serverSide {
		how = "server-side apply"
	}
	return "SigningKey " + s.name + " by " + how + ":\n" + strings.Join(s.steps, "")
}
