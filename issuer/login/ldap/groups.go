package ldap

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// The limits for nested groups and for the groups of a user.
const (
	maxGroups = 500
	maxLevels = 10
)

var errTooManyGroups = errors.New("more groups than are followed")

// groups returns the sorted names of all groups of a DN, including nested ones if configured. It returns an error if
// it cannot read all of them.
func (d *Directory) groups(c *conn, dn string) ([]string, error) {
	names := []string{}
	seen := map[string]bool{}
	level := []string{dn}
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxLevels {
			return nil, errTooManyGroups
		}
		found, err := d.searchGroups(c, level)
		if err != nil {
			return nil, err
		}
		level = nil
		for _, group := range found {
			key := strings.ToLower(group.DN)
			if seen[key] {
				continue
			}
			if len(seen) == maxGroups {
				return nil, errTooManyGroups
			}
			seen[key] = true
			level = append(level, group.DN)
			if name := group.GetEqualFoldAttributeValue(d.settings.Groups.Name); name != "" {
				names = append(names, name)
			}
		}
		if !d.settings.Groups.Nested {
			break
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// searchGroups searches for the groups that contain any of the DNs. The server may have a lower limit.
func (d *Directory) searchGroups(c *conn, members []string) ([]*ldap.Entry, error) {
	var found []*ldap.Entry
	for some := range slices.Chunk(members, 50) {
		var filter strings.Builder
		filter.WriteString("(|")
		for _, dn := range some {
			filter.WriteString(strings.ReplaceAll(d.settings.Groups.Filter, "{dn}", ldap.EscapeFilter(dn)))
		}
		filter.WriteString(")")
		result, err := c.Search(ldap.NewSearchRequest(d.settings.Groups.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
			maxGroups, d.seconds(), false, filter.String(), []string{d.settings.Groups.Name}, nil))
		if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
			return nil, errTooManyGroups
		}
		if err != nil {
			return nil, err
		}
		found = append(found, result.Entries...)
	}
	return found, nil
}
