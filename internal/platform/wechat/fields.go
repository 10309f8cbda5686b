package wechat

import (
	"bytes"
	"errors"
	"slices"
	"strings"
)

// format is how a body is written. The zero value is XML, which the platform uses unless told otherwise (wechat.md §7.1).
type format int

const (
	formatXML format = iota
	formatJSON
)

// What a body may cost us. The largest documented push has a dozen fields, three levels deep.
const (
	maxFields    = 512
	maxDepth     = 16
	maxNameBytes = 64
)

var (
	errDTD        = errors.New("document type in XML")
	errUnreadable = errors.New("body cannot be read")
)

// field is one value of a body. path is the names from below the root, joined by dots.
type field struct{ path, value string }

type fields []field

// text is the value as it came; names are compared without regard to case (wechat.md §7.5: bizmsgmenuid).
func (fs fields) text(path string) string {
	i := slices.IndexFunc(fs, func(f field) bool { return strings.EqualFold(f.path, path) })
	if i < 0 {
		return ""
	}
	return fs[i].value
}

// word is the value of an identifier or number: without white space around it.
func (fs fields) word(path string) string { return strings.TrimSpace(fs.text(path)) }

// readFields reads an XML or JSON body into a flat list. The first byte decides which it is; headers are not relied upon
// (wechat.md §7.1). On an error it returns what it had read until then, and errDTD for a document type.
func readFields(body []byte) (fields, format, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	body = bytes.Map(printable, body)
	switch {
	case bytes.HasPrefix(body, []byte("<")):
		fs, err := readXML(body)
		return fs, formatXML, err
	case bytes.HasPrefix(body, []byte("{")):
		fs, err := readJSON(body)
		return fs, formatJSON, err
	}
	return nil, formatXML, errUnreadable
}

// printable drops what neither XML 1.0 nor a database takes: NUL and the other control characters but tab and line ends. Mapping with it
// also turns bytes that are not UTF-8 into U+FFFD.
func printable(r rune) rune {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return r
	case r < ' ', r == 0xFFFE, r == 0xFFFF:
		return -1
	}
	return r
}

func clean(s string) string { return strings.Map(printable, s) }

// collector gathers fields under a stack of names and keeps a body from costing more than it may.
type collector struct {
	names []string
	out   fields
}

func (c *collector) enter(name string) error {
	if len(c.names) == maxDepth || len(name) > maxNameBytes {
		return errUnreadable
	}
	c.names = append(c.names, name)
	return nil
}

func (c *collector) leave() { c.names = c.names[:len(c.names)-1] }

func (c *collector) add(value string) error {
	if len(c.out) == maxFields {
		return errUnreadable
	}
	c.out = append(c.out, field{path: strings.Join(c.names, "."), value: clean(value)})
	return nil
}
