// Package desired is what the signingkey controller hands to the distribution controller: for each SigningKey the files that its keyring
// makes, and where they belong. It also has the codec of the record that each ConfigMap carries of its files.
package desired
