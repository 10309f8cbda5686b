package wechat

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// readXML flattens <xml><A>…</A></xml>; the name of the root does not matter. Repeated elements stay repeated. No entity but the five of
// XML itself is ever known, whatever a document type declares; one that has a document type is an error, with the fields that could be
// read nevertheless: a signature has to be checked before anything is said about the rest.
func readXML(body []byte) (out fields, err error) {
	dtd := false
	defer func() {
		if dtd {
			err = errDTD
		}
	}()
	var (
		d    = xml.NewDecoder(bytes.NewReader(body))
		c    collector
		text strings.Builder
		leaf bool // the element that is open has no element inside
		open int
		root bool
	)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && root && open == 0 {
			return c.out, nil
		}
		if err != nil {
			return c.out, errUnreadable
		}
		switch t := token.(type) {
		case xml.Directive:
			dtd = true
		case xml.StartElement:
			if open == 0 && root {
				return c.out, errUnreadable // a second document
			}
			if open > 0 {
				if err := c.enter(t.Name.Local); err != nil {
					return c.out, err
				}
			}
			open, root, leaf = open+1, true, true
			text.Reset()
		case xml.CharData:
			if open > 0 {
				text.Write(t)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return c.out, errUnreadable
			}
		case xml.EndElement:
			open--
			if open == 0 {
				continue
			}
			if leaf {
				if err := c.add(text.String()); err != nil {
					return c.out, err
				}
			}
			c.leave()
			leaf = false
		}
	}
}
