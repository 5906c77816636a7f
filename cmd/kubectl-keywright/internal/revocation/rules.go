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

// maxClaimValues is the maximum number of values per claim in a rule of Envoy Gateway.
const maxClaimValues = 128

// revoked are the values of claims that the Revocations of one SigningKey name.
type revoked struct {
	// always has the values of jti and sid: every token with such a value is revoked.
	always map[string][]string
	// until has, per value of sub and client_id, the time up to which tokens are revoked, including the clockSkew.
	until map[string]map[string]time.Time
	// all is the time up to which all tokens are revoked, zero if there is none.
	all time.Time
}

// collect returns what the Revocations name, except for expired and refused ones. Keys are omitted, because no key set has them.
func collect(list []keywrightv1alpha1.Revocation, skew time.Duration, now time.Time) revoked {
	e := revoked{always: map[string][]string{}, until: map[string]map[string]time.Time{issuerfiles.ClaimSubject: {}, issuerfiles.ClaimClientID: {}}}
	for i := range list {
		s := &list[i].Spec
		if expired(&list[i], now) || receipt.Refusal(&list[i]) != "" {
			continue
		}
		switch {
		case s.TokenID != "":
			e.always[issuerfiles.ClaimTokenID] = append(e.always[issuerfiles.ClaimTokenID], s.TokenID)
		case s.SessionID != "":
			e.always[issuerfiles.ClaimSessionID] = append(e.always[issuerfiles.ClaimSessionID], s.SessionID)
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

// values returns the sorted values per claim, for software that cannot compare times.
func (e *revoked) values() map[string][]string {
	all := map[string][]string{}
	for claim, values := range e.always {
		all[claim] = slices.Compact(slices.Sorted(slices.Values(values)))
	}
	for claim, times := range e.until {
		if len(times) > 0 {
			all[claim] = slices.Sorted(maps.Keys(times))
		}
	}
	return all
}

// printRules prints the Revocations as rules for other software.
func (c *command) printRules(key *keywrightv1alpha1.SigningKey, list []keywrightv1alpha1.Revocation, output string) error {
	now := c.ServerNow()
	e := collect(list, key.Spec.Token.ClockSkew.Duration, now)
	comments := []string{fmt.Sprintf("Revocations of SigningKey %s at %s. Generate these rules again after each Revocation.", key.Name, now.UTC().Format(time.RFC3339))}
	var rules any
	switch output {
	case "cel":
		comments = append(comments, "For the claimValidationRules of this issuer in the AuthenticationConfiguration of a kube-apiserver, which reloads that file.")
		rules = e.cel()
	case "istio":
		comments = append(comments, "For the namespaces whose RequestAuthentication trusts this issuer.")
		comments = append(comments, e.limits()...)
		var excluded []string
		rules, excluded = e.istio(key.Name)
		if len(excluded) > 0 {
			comments = append(comments, "NOT REJECTED, because Istio reads * as a wildcard: "+quoteAll(excluded))
			cli.Printf(c.ErrOut, "Istio still accepts tokens with %s: no rule can match them, because Istio reads * as a wildcard.\n", quoteAll(excluded))
		}
	case "envoy-gateway":
		comments = append(comments, "For the spec of the SecurityPolicy with the JWT provider of this issuer. Replace the name keywright if the provider has another name.")
		comments = append(comments, e.limits()...)
		rules = e.envoyGateway()
	}
	if output != "cel" && !e.all.IsZero() {
		cli.Printf(c.ErrOut, "Rules in the format -o %s cannot compare times: they do not reject the tokens that a Revocation with `everything: true` revokes. Revoke the key instead.\n", output)
	}
	b, err := yaml.Marshal(rules)
	if err != nil {
		return errors.Join(errors.New("cannot format the rules"), err)
	}
	cli.Printf(c.Out, "# %s\n%s", strings.Join(comments, "\n# "), b)
	return nil
}

// limits returns comments about what rules without times cannot express.
func (e *revoked) limits() []string {
	var comments []string
	for _, claim := range slices.Sorted(maps.Keys(e.until)) {
		if values := e.values()[claim]; len(values) > 0 {
			comments = append(comments, "Every token with this "+claim+" is rejected, including new ones, until you generate the rules again, because they cannot compare times: "+quoteAll(values))
		}
	}
	if !e.all.IsZero() {
		comments = append(comments, "NOT REJECTED, because these rules cannot compare times: all tokens issued until "+e.all.UTC().Format(time.RFC3339))
	}
	return comments
}

type celRule struct {
	Expression string `json:"expression"`
	Message    string `json:"message"`
}

// cel returns claimValidationRules. A token is accepted if all are true. They can compare times, and reject a token without the time
// that they compare.
func (e *revoked) cel() []celRule {
	rules := []celRule{}
	for _, claim := range slices.Sorted(maps.Keys(e.always)) {
		for _, values := range chunks(e.values()[claim]) {
			rules = append(rules, celRule{
				fmt.Sprintf("!(has(claims.%[1]s) && claims.%[1]s in [%[2]s])", claim, quoteAll(values)), "the token is revoked by its " + claim,
			})
		}
	}
	const issued = "int(has(claims.auth_time) ? claims.auth_time : claims.iat)"
	for _, claim := range slices.Sorted(maps.Keys(e.until)) {
		for _, values := range chunks(e.values()[claim]) {
			var entries []string
			for _, value := range values {
				entries = append(entries, fmt.Sprintf("%q: %d", value, e.until[claim][value].Unix()))
			}
			times := "{" + strings.Join(entries, ", ") + "}"
			rules = append(rules, celRule{
				fmt.Sprintf("!(has(claims.%[1]s) && claims.%[1]s in %[2]s && %[3]s <= %[2]s[claims.%[1]s])", claim, times, issued),
				"tokens of this " + claim + " that were issued up to a certain time are revoked",
			})
		}
	}
	if !e.all.IsZero() {
		rules = append(rules, celRule{fmt.Sprintf("%s > %d", issued, e.all.Unix()), "all tokens that were issued up to a certain time are revoked"})
	}
	return rules
}

// maxRuleValues is the maximum length of the quoted values of a rule with their times, in bytes. An expression has at most 100,000
// characters, and can contain its values twice.
const maxRuleValues = 45_000

// chunks splits values into lists that fit into a rule.
func chunks(values []string) (lists [][]string) {
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

// istio returns an AuthorizationPolicy, and the values that it cannot contain.
func (e *revoked) istio(name string) (policy any, excluded []string) {
	rules := []any{}
	all := e.values()
	for _, claim := range slices.Sorted(maps.Keys(all)) {
		var values []string
		for _, v := range all[claim] {
			if strings.HasPrefix(v, "*") || strings.HasSuffix(v, "*") {
				excluded = append(excluded, v)
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
	}, excluded
}

// envoyGateway returns the authorization of a SecurityPolicy: a rule has at most 128 values.
func (e *revoked) envoyGateway() any {
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
