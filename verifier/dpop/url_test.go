package dpop_test

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/keywright/keywright/verifier/dpop"
)

// checkURL gives Check a proof for one URL, where another one was asked for.
func checkURL(htu, asked string) error {
	quoted := `"htu":` + string(must(quote(htu)))
	_, err := dpop.Check([]string{ecClient().sign(ecClient().header(), strings.Replace(claims, `"htu":"`+target+`"`, quoted, 1))}, method, asked)
	return err
}

func TestURLsThatAreTheSame(t *testing.T) {
	for htu, asked := range map[string]string{
		"https://a.example/b":                  "https://a.example/b?c=d#e",
		"https://a.example/b?c=d#e":            "https://a.example/b",
		"HTTPS://A.Example/b":                  "https://a.example/b",
		"https://a.example":                    "https://a.example/",
		"https://a.example/":                   "https://a.example",
		"https://a.example?x":                  "https://a.example/",
		"https://a.example:443/b":              "https://a.example/b",
		"https://a.example:/b":                 "https://a.example/b",
		"http://a.example:80/b":                "http://a.example/b",
		"https://a.example/%7euser/%41%2D":     "https://a.example/~user/A-",
		"https://a.example/%c3%bc%2f":          "https://a.example/%C3%BC%2F",
		"https://a.example/x/../b/./c":         "https://a.example/b/c",
		"https://a.example/x/%2E%2e/b":         "https://a.example/b",
		"https://a.example/b/.":                "https://a.example/b/",
		"https://a.example/b/c/..":             "https://a.example/b/",
		"https://a.example/../../b":            "https://a.example/b",
		"https://[2001:DB8::1]:443/b":          "https://[2001:db8::1]/b",
		"https://a.example:8443/b":             "https://a.example:8443/b",
		"https://a.example//b":                 "https://a.example//b",
		"https://a.example/b;c=1,2:@!$&'()*+=": "https://a.example/b;c=1,2:@!$&'()*+=",
	} {
		if err := checkURL(htu, asked); err != nil {
			t.Errorf("%s for %s: %v", htu, asked, err)
		}
	}
}

func TestURLsThatDiffer(t *testing.T) {
	for htu, asked := range map[string]string{
		"https://a.example/b":               "https://a.example/B",
		"https://a.example/b/":              "https://a.example/b",
		"https://a.example/b//c":            "https://a.example/b/c",
		"https://a.example/b%2Fc":           "https://a.example/b/c",
		"https://a.example/b%3Fc":           "https://a.example/b?c",
		"https://a.example/b%2":             "https://a.example/x/../b%2",
		"https://a.example/b%zz":            "https://a.example/b%25zz",
		"http://a.example/b":                "https://a.example/b",
		"http://a.example:443/b":            "https://a.example/b",
		"https://a.example:80/b":            "https://a.example/b",
		"https://a.example:8443/b":          "https://a.example/b",
		"https://a.example:0443/b":          "https://a.example/b",
		"https://a.example./b":              "https://a.example/b",
		"https://user@a.example/b":          "https://a.example/b",
		"https://a.example@evil/b":          "https://a.example/b",
		"https://a.example\\@evil/b":        "https://a.example/b",
		"https://a.example.evil/b":          "https://a.example/b",
		"https://evil/https://a.example":    "https://a.example/",
		"https://evil/?https://a.example/b": "https://a.example/b",
		"https://a.example/ b":              "https://a.example/ b ",
		"https://a.example/ü":               "https://a.example/%C3%BC",
		"https://a.exam%70le/b":             "https://a.example/b",
		"https://\u212a.example/b":          "https://k.example/b",
		"/b":                                "https://a.example/b",
		"//a.example/b":                     "https://a.example/b",
		"a.example/b":                       "https://a.example/b",
		"https:a.example/b":                 "https://a.example/b",
		"https:///b":                        "https://a.example/b",
		"https://:443/b":                    "https://a.example/b",
		"ftp://a.example/b":                 "ftp://a.example/b",
		"*":                                 "*",
		"/same":                             "/same",
		"https://[::1/b":                    "https://[::1/b/..",
		"https://a:b:443/x":                 "https://a:b/x",
		// What would be the same, were it a URL.
		"https:///x/../b":              "https:///b",
		"https://:8443/x/../b":         "https://:8443/b",
		"https://u@a.example/x/../b":   "https://u@a.example/b",
		"https://a.exam%70le/x/../b":   "https://a.exam%70le/b",
		"https://a.example:8x/x/../b":  "https://a.example:8x/b",
		"https://a:b/x/../b":           "https://a:b:443/b",
		"https://a:b:443/x/../b":       "https://a:b:443/b",
		"https://[::1]x/x/../b":        "https://[::1]x/b",
		"https://a.example/x/../b%zz":  "https://a.example/b%zz",
		"https://a.example/x/../b%4z":  "https://a.example/b%4z",
		"https://a.example/x/../b%z4":  "https://a.example/b%z4",
		"https://a.example/x/../b%4":   "https://a.example/b%4",
		"https://a.example/x/../b c":   "https://a.example/b c",
		"https://a.example/x/../b\x00": "https://a.example/b\x00",
		"https://a.example/x/../b|":    "https://a.example/b|",
		"gopher://a.example/x/../b":    "gopher://a.example/b",
	} {
		if err := checkURL(htu, asked); !errors.Is(err, dpop.ErrURL) {
			t.Errorf("%s for %s: %v", htu, asked, err)
		}
	}
	if err := checkURL(target, ""); !errors.Is(err, dpop.ErrURL) {
		t.Error("no URL is any URL")
	}
	if _, err := dpop.Check([]string{ecClient().good()}, method); !errors.Is(err, dpop.ErrURL) {
		t.Errorf("without a URL: %v", err)
	}
}

// FuzzURL compares two URLs: what we take for the same, net/url must find on one host, and at one path once that is cleaned.
func FuzzURL(f *testing.F) {
	for _, pair := range [][2]string{
		{"https://a.example/b", "https://A.example:443/x/../b"},
		{"https://a.example", "https://a.example/?x"},
		{"https://[::1]:80/%7e", "https://[::1]:80/~"},
		{"https://a/%2e%2e", "https://a/"},
		{"http://a@b/", "http://b/"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		first, _, _ := strings.Cut(strings.ReplaceAll(one, "#", "?"), "?")
		second, _, _ := strings.Cut(strings.ReplaceAll(other, "#", "?"), "?")
		if first == second || checkURL(one, other) != nil {
			return
		}
		if checkURL(other, one) != nil {
			t.Fatalf("%q is %q, but not the other way round", one, other)
		}
		a, err := url.Parse(first)
		if err != nil {
			t.Fatalf("net/url refuses %q: %v", one, err)
		}
		b, err := url.Parse(second)
		if err != nil {
			t.Fatalf("net/url refuses %q: %v", other, err)
		}
		if !strings.EqualFold(a.Hostname(), b.Hostname()) || a.Scheme != b.Scheme || a.User != nil {
			t.Errorf("%q is taken for %q", one, other)
		}
		if path.Clean("/"+a.Path) != path.Clean("/"+b.Path) {
			t.Errorf("%q is taken for %q", one, other)
		}
	})
}
