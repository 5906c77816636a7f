package dpop

import "strings"

// matchesURL reports whether htu equals one of the URLs (RFC 9449 section 4.3, check 9), without query and fragment.
// It compares the texts first and normalizes only if they differ.
func matchesURL(htu string, urls []string) bool {
	claimed := withoutQuery(htu)
	if !strings.HasPrefix(claimed, "https://") && !strings.HasPrefix(claimed, "http://") {
		return namesNormalized(claimed, urls)
	}
	for _, url := range urls {
		if claimed == withoutQuery(url) {
			return true
		}
	}
	return namesNormalized(claimed, urls)
}

func namesNormalized(claimed string, urls []string) bool {
	normal := normalize(claimed)
	if normal == "" {
		return false
	}
	for _, url := range urls {
		if normalize(withoutQuery(url)) == normal {
			return true
		}
	}
	return false
}

// withoutQuery removes the query and the fragment of a URL.
func withoutQuery(url string) string {
	if end := strings.IndexAny(url, "?#"); end >= 0 {
		return url[:end]
	}
	return url
}

// normalize normalizes an absolute http or https URL without query and fragment, by syntax (RFC 3986 section 6.2.2:
// letter case, percent-encoding, dot segments) and scheme (section 6.2.3: default port, empty path). It returns ""
// for any other text, and for a URL with user information or a host that is percent-encoded or not ASCII.
func normalize(url string) string {
	if strings.ContainsFunc(url, isNoURLCharacter) {
		return ""
	}
	scheme, rest, _ := strings.Cut(url, "://")
	scheme = strings.ToLower(scheme)
	authority, path := rest, "/"
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		authority, path = rest[:slash], rest[slash:]
	}
	authority = normalizeAuthority(scheme, authority)
	path = normalizePercents(path)
	if authority == "" || path == "" {
		return ""
	}
	return scheme + "://" + authority + removeDotSegments(path)
}

// isNoURLCharacter reports whether a character is not allowed in a URL (RFC 3986 section 2).
func isNoURLCharacter(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r)
}

// normalizeAuthority writes a host in lower case, and removes the default or an empty port. It returns "" for an
// invalid authority, or an unsupported scheme.
func normalizeAuthority(scheme, authority string) string {
	usual, known := map[string]string{"http": "80", "https": "443"}[scheme]
	host, port := strings.ToLower(authority), ""
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		host, port = host[:colon], host[colon+1:]
	}
	bracketed := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
	if !known || host == "" || strings.ContainsAny(host, "@%") || strings.Trim(port, "0123456789") != "" ||
		(!bracketed && strings.ContainsAny(host, ":[]")) {
		return ""
	}
	if port == "" || port == usual {
		return host
	}
	return host + ":" + port
}

// normalizePercents decodes unreserved characters, and writes the other escapes in upper case (RFC 3986 sections
// 6.2.2.1 and 6.2.2.2). It returns "" for an invalid escape.
func normalizePercents(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			out.WriteByte(path[i])
			continue
		}
		if i+2 >= len(path) {
			return ""
		}
		high, low := hexDigit(path[i+1]), hexDigit(path[i+2])
		if high < 0 || low < 0 {
			return ""
		}
		if c := byte((high<<4 | low) & 0xff); isUnreserved(c) {
			out.WriteByte(c)
		} else {
			out.WriteString(strings.ToUpper(path[i : i+3]))
		}
		i += 2
	}
	return out.String()
}

// hexDigit returns the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int { return strings.IndexByte("0123456789abcdef", lower(c)) }

// lower returns an ASCII letter in lower case.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// isUnreserved reports whether a character is unreserved (RFC 3986 section 2.3).
func isUnreserved(c byte) bool {
	return 'a' <= lower(c) && lower(c) <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// removeDotSegments removes the segments . and .. of an absolute path (RFC 3986 section 5.2.4).
func removeDotSegments(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch segment {
		case ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, segment)
			continue
		}
		if last {
			kept = append(kept, "") // the result is a directory
		}
	}
	return "/" + strings.Join(kept, "/")
}
