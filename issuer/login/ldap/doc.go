// Package ldap authenticates users with an LDAP directory or Active Directory.
package ldap
