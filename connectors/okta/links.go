package okta

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// nextLink returns path and query of the page that follows, and leaves in the header only links that the SDK can read: one
// in each line, as Okta itself sends them. Proxies are seen to join them.
func nextLink(header http.Header) (next string, err error) {
	var clean []string
	for _, line := range header.Values("Link") {
		for _, link := range splitLinks(line) {
			address, parameters, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
			if !ok {
				parameters = link
			}
			isNext := strings.Contains(parameters, `rel="next"`) || strings.Contains(parameters, "rel=next")
			u, err := url.Parse(address)
			if !ok || err != nil || !strings.HasPrefix(u.Path, "/api/v1/") {
				if isNext {
					return "", errors.New("the address of the next page cannot be understood")
				}
				continue
			}
			clean = append(clean, link)
			if !isNext {
				continue
			}
			if next != "" && next != u.RequestURI() {
				return "", errors.New("the answer names two next pages")
			}
			next = u.RequestURI()
		}
	}
	header.Del("Link")
	for _, link := range clean {
		header.Add("Link", link)
	}
	return next, nil
}

// splitLinks takes a header line apart at the commas between links; a comma inside an address or a quoted text is none.
func splitLinks(line string) (links []string) {
	inside, quoted, start := false, false, 0
	for i, r := range line {
		switch {
		case quoted:
			quoted = r != '"'
		case r == '"' && !inside:
			quoted = true
		case r == '<':
			inside = true
		case r == '>':
			inside = false
		case r == ',' && !inside:
			links = append(links, strings.TrimSpace(line[start:i]))
			start = i + 1
		}
	}
	return append(links, strings.TrimSpace(line[start:]))
}
