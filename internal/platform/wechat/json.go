package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// readJSON flattens an object. Numbers keep their spelling, because a MsgId has 64 bits and may as well be a string (wechat.md §0.2);
// an element of a list is named "item", as in the platform's XML.
func readJSON(body []byte) (fields, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var c collector
	if err := c.value(d); err != nil {
		return c.out, errUnreadable
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return c.out, errUnreadable
	}
	return c.out, nil
}

// value reads one value and all inside it. Its depth is bounded by enter.
func (c *collector) value(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		for d.More() {
			name := "item"
			if t == '{' {
				key, err := d.Token()
				if err != nil {
					return err
				}
				name, _ = key.(string) // the decoder lets nothing else be a key
			}
			if err := c.enter(name); err != nil {
				return err
			}
			if err := c.value(d); err != nil {
				return err
			}
			c.leave()
		}
		_, err = d.Token() // the closing bracket
		return err
	case json.Number:
		return c.add(t.String())
	case string:
		return c.add(t)
	case bool:
		return c.add(strconv.FormatBool(t))
	}
	return nil // null is as good as absent
}

// encode writes JSON with raw UTF-8: the platform shows \u4f60 or \u003c to the customer letter by letter (wechat.md §5.4).
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// speech makes a text that encode writes without \u escapes: without control characters, and with plain line ends for U+2028 and
// U+2029, which encoding/json always escapes.
func speech(s string) string {
	return strings.NewReplacer("\u2028", "\n", "\u2029", "\n").Replace(clean(s))
}

// loose reads a JSON number, string or bool into the string it shows; the platform swaps them freely (wechat.md §0.2).
type loose string

func (l *loose) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		return nil
	case b[0] == '"':
		return json.Unmarshal(b, (*string)(l))
	case b[0] == '{', b[0] == '[':
		return errUnreadable
	}
	*l = loose(b)
	return nil
}

func (l loose) int64() (int64, error) { return strconv.ParseInt(strings.TrimSpace(string(l)), 10, 64) }
