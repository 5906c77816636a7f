package revocation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/receipt"
)

// maxClaimValues is how many values of a claim a rule of Envoy Gateway may name.
const maxClaimValues = 128

// ended is what the Revocations of one SigningKey end, by the plain values of claims.
type ended struct {
	// wholly has the values of jti and sid: all tokens with them are ended.
	wholly map[string][]string
	// until has for the values of sub and client_id the last time of a token that is ended, the clockSkew included.
	until map[string]map[string]time.Time
	// all is that time for all tokens, zero if there is none.
	all time.Time
}

// endedBy collects what is neither expired nor refused. Keys are left out: they are in no key set any more.
func endedBy(list []keywrightv1alpha1.Revocation, skew time.Duration, now time.Time) ended {
	e := ended{wholly: map[string][]string{}, until: map[string]map[string]time.Time{issuerfiles.ClaimSubject: {}, issuerfiles.ClaimClientID: {}}}
	for i := range list {
		s := &list[i].Spec
		if expired(&list[i], now) || receipt.Refusal(&list[i]) != "" {
			continue
		}
		switch {
		case s.TokenID != "":
			e.wholly[issuerfiles.ClaimTokenID] = append(e.wholly[issuerfiles.ClaimTokenID], s.TokenID)
		case s.SessionID != "":
			e.wholly[issuerfiles.ClaimSessionID] = append(e.wholly[issuerfiles.ClaimSessionID], s.SessionID)
		case s.Subject != "":
			later(e.until[issuerfiles.ClaimSubject], s.Subject, s.IssuedBefore.Add(skew))
		case s.ClientID != "":
			later(e.until[issuerfiles.ClaimClientID], s.ClientID, s.IssuedBefore.Add(skew))
		case s.Everything:
			if at := s.IssuedBefore.Add(skew); at.After(e.all) {
				e.all = at
			}
		}
	}
	return e
}

func later(times map[string]time.Time, value string, at time.Time) {
	if at.After(times[value]) {
		times[value] = at
	}
}

// values has each claim with its values, sorted, for whoever knows no times.
func (e *ended) values() map[string][]string {
	all := map[string][]string{}
	for claim, values := range e.wholly {
		all[claim] = slices.Compact(slices.Sorted(slices.Values(values)))
	}
	for claim, times := range e.until {
		if len(times) > 0 {
			all[claim] = slices.Sorted(maps.Keys(times))
		}
	}
	return all
}

// printRules writes what is ended as rules of somebody else's.
func (c *command) printRules(key *keywrightv1alpha1.SigningKey, list []keywrightv1alpha1.Revocation, output string) error {
	now := c.ServerNow()
	e := endedBy(list, key.Spec.Token.ClockSkew.Duration, now)
	comments := []string{fmt.Sprintf("What was ended early of SigningKey %s, at %s. Write it again after each Revocation.", key.Name, now.UTC().Format(time.RFC3339))}
	var rules any
	switch output {
	case "cel":
		comments = append(comments, "For the claimValidationRules of this issuer in the AuthenticationConfiguration of a kube-apiserver, which reads that file again by itself.")
		rules = e.cel()
	case "istio":
		comments = append(comments, "For the namespaces whose RequestAuthentication trusts this issuer.")
		comments = append(comments, e.unsaid()...)
		var left []string
		rules, left = e.istio(key.Name)
		if len(left) > 0 {
			comments = append(comments, "NOT REFUSED, since Istio takes a * for a pattern: "+quoted(left))
			cli.Printf(c.ErrOut, "Istio cannot refuse %s: it takes a * for a pattern.\n", quoted(left))
		}
	case "envoy-gateway":
		comments = append(comments, "For the spec of the SecurityPolicy that has the JWT provider of this issuer. If that is not called keywright, change the name.")
		comments = append(comments, e.unsaid()...)
		rules = e.envoyGateway()
	}
	if output != "cel" && !e.all.IsZero() {
		cli.Printf(c.ErrOut, "Not all is said: -o %s knows no times, so that --everything cannot be said.\n", output)
	}
	b, err := yaml.Marshal(rules)
	if err != nil {
		return errors.Join(errors.New("the rules cannot be written"), err)
	}
	cli.Printf(c.Out, "# %s\n%s", strings.Join(comments, "\n# "), b)
	return nil
}

// unsaid are comments about what cannot be said to whoever compares strings only.
func (e *ended) unsaid() []string {
	var comments []string
	for _, claim := range slices.Sorted(maps.Keys(e.until)) {
		if values := e.values()[claim]; len(values) > 0 {
			comments = append(comments, "A time cannot be said here, so that every token with this "+claim+" is refused, also a new one, until you write this again: "+quoted(values))
		}
	}
	if !e.all.IsZero() {
		comments = append(comments, "NOT REFUSED, since a time cannot be said here: all tokens of everybody until "+e.all.UTC().Format(time.RFC3339))
	}
	return comments
}

type celRule struct {
	Expression string `json:"expression"`
	Message    string `json:"message"`
}

// cel returns claimValidationRules: each must be true of a token that is accepted. Numbers can be compared there, so that times can
// be said. A token without the time that is asked for is refused.
func (e *ended) cel() []celRule {
	rules := []celRule{}
	for _, claim := range slices.Sorted(maps.Keys(e.wholly)) {
		for _, values := range fitting(e.values()[claim]) {
			rules = append(rules, celRule{
				fmt.Sprintf("!(has(claims.%[1]s) && claims.%[1]s in [%[2]s])", claim, quoted(values)), "the token was ended, by its " + claim,
			})
		}
	}
	const issued = "int(has(claims.auth_time) ? claims.auth_time : claims.iat)"
	for _, claim := range slices.Sorted(maps.Keys(e.until)) {
		for _, values := range fitting(e.values()[claim]) {
			var entries []string
			for _, value := range values {
				entries = append(entries, fmt.Sprintf("%q: %d", value, e.until[claim][value].Unix()))
			}
			times := "{" + strings.Join(entries, ", ") + "}"
			rules = append(rules, celRule{
				fmt.Sprintf("!(has(claims.%[1]s) && claims.%[1]s in %[2]s && %[3]s <= %[2]s[claims.%[1]s])", claim, times, issued),
				"all tokens of this " + claim + " from before a time were ended",
			})
		}
	}
	if !e.all.IsZero() {
		rules = append(rules, celRule{fmt.Sprintf("%s > %d", issued, e.all.Unix()), "all tokens from before a time were ended"})
	}
	return rules
}

// maxRuleValues is how long the quoted values of a rule may be, in bytes, each with a time. An expression has at most 100,000 characters
// and may name its values twice.
const maxRuleValues = 45_000

// fitting cuts values into lists that fit into a rule.
func fitting(values []string) (lists [][]string) {
	var list []string
	size := 0
	for _, v := range values {
		length := len(fmt.Sprintf("%q: 1795600000, ", v))
		if size += length; size > maxRuleValues {
			lists, list, size = append(lists, list), nil, length
		}
		list = append(list, v)
	}
	if len(list) > 0 {
		lists = append(lists, list)
	}
	return lists
}

// istio returns an AuthorizationPolicy, and the values that it cannot name.
func (e *ended) istio(name string) (policy any, left []string) {
	rules := []any{}
	all := e.values()
	for _, claim := range slices.Sorted(maps.Keys(all)) {
		var values []string
		for _, v := range all[claim] {
			if strings.HasPrefix(v, "*") || strings.HasSuffix(v, "*") {
				left = append(left, v)
			} else {
				values = append(values, v)
			}
		}
		if len(values) > 0 {
			rules = append(rules, map[string]any{"when": []any{map[string]any{"key": "request.auth.claims[" + claim + "]", "values": values}}})
		}
	}
	spec := map[string]any{"action": "DENY"}
	if len(rules) > 0 { // a policy without rules denies nothing
		spec["rules"] = rules
	}
	return map[string]any{
		"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": map[string]any{"name": "keywright-ended-" + name}, "spec": spec,
	}, left
}

// envoyGateway returns the authorization of a SecurityPolicy: a rule has at most 128 values.
func (e *ended) envoyGateway() any {
	rules := []any{}
	all := e.values()
	for _, claim := range slices.Sorted(maps.Keys(all)) {
		i := 0
		for values := range slices.Chunk(all[claim], maxClaimValues) {
			i++
			rules = append(rules, map[string]any{
				"name": fmt.Sprintf("ended-%s-%d", strings.ReplaceAll(claim, "_", "-"), i), "action": "Deny",
				"principal": map[string]any{"jwt": map[string]any{
					"provider": "keywright", "claims": []any{map[string]any{"name": claim, "valueType": "String", "values": values}},
				}},
			})
		}
	}
	return map[string]any{"authorization": map[string]any{"defaultAction": "Allow", "rules": rules}}
}
