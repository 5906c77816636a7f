// Package ldap lets users of an LDAP directory or of Active Directory log in.
package ldap
