package ldap

import (
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// The bounds of what is followed: groups that contain each other, and people who are in everything.
const (
	maxGroups = 500
	maxLevels = 10
)

// groups returns the sorted names of the groups that a DN is in, and, if they are nested, of those that these are in.
func (d *Directory) groups(c *conn, dn string) ([]string, error) {
	names := []string{}
	seen := map[string]bool{}
	level := []string{dn}
	for range maxLevels {
		found, err := d.groupsOf(c, level)
		if err != nil {
			return nil, err
		}
		level = nil
		for _, group := range found {
			key := strings.ToLower(group.DN)
			if seen[key] || len(seen) == maxGroups {
				continue
			}
			seen[key] = true
			level = append(level, group.DN)
			if name := group.GetEqualFoldAttributeValue(d.settings.Groups.Name); name != "" {
				names = append(names, name)
			}
		}
		if len(level) == 0 || !d.settings.Groups.Nested {
			break
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// groupsOf finds the groups that any of some DNs is in.
func (d *Directory) groupsOf(c *conn, members []string) ([]*ldap.Entry, error) {
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
		if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
			return nil, err
		}
		found = append(found, result.Entries...)
	}
	return found, nil
}
