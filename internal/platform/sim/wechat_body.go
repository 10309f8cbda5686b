package sim

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
)

// field is one element of a push, in order. In XML a text is CDATA and a number bare; JSON carries the same names (wechat.md §7.3).
type field struct {
	name   string
	text   string
	number bool
	parts  []field // a group, such as ScanCodeInfo
}

func textField(name, value string) field   { return field{name: name, text: value} }
func numberField(name, value string) field { return field{name: name, text: value, number: true} }

// xmlBody writes the fields as the platform does: no declaration, texts in CDATA.
func xmlBody(fields []field) []byte {
	var b bytes.Buffer
	b.WriteString("<xml>")
	writeXML(&b, fields)
	b.WriteString("</xml>")
	return b.Bytes()
}

func writeXML(b *bytes.Buffer, fields []field) {
	for _, f := range fields {
		b.WriteString("<" + f.name + ">")
		switch {
		case f.parts != nil:
			writeXML(b, f.parts)
		case f.number:
			b.WriteString(f.text)
		default:
			// "]]>" cannot stand inside: it is cut in two sections.
			b.WriteString("<![CDATA[" + strings.ReplaceAll(f.text, "]]>", "]]]]><![CDATA[>") + "]]>")
		}
		b.WriteString("</" + f.name + ">")
	}
}

// jsonBody writes the same fields as one JSON object, in order.
func jsonBody(fields []field) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(plainJSON(f.name))
		b.WriteByte(':')
		switch {
		case f.parts != nil:
			b.Write(jsonBody(f.parts))
		case f.number:
			b.WriteString(f.text)
		default:
			b.Write(plainJSON(f.text))
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

func body(format string, fields []field) []byte {
	if format == formatJSON {
		return jsonBody(fields)
	}
	return xmlBody(fields)
}

// sealedAnswer is the encrypted reply (wechat.md §7.4).
type sealedAnswer struct {
	Encrypt      string      `json:"Encrypt"`
	MsgSignature string      `json:"MsgSignature"`
	TimeStamp    json.Number `json:"TimeStamp"`
	Nonce        string      `json:"Nonce"`
}

// passiveAnswer is a reply message (wechat.md §7.7).
type passiveAnswer struct {
	ToUserName, FromUserName, MsgType string
	CreateTime                        json.Number
	Content                           string
	Image, Voice                      struct{ MediaId string }
	Video                             struct{ MediaId, Title, Description string }
	Music                             struct{ Title, Description, MusicUrl, HQMusicUrl, ThumbMediaId string }
	ArticleCount                      json.Number
	Articles                          struct {
		Items []struct{ Title, Description, PicUrl, Url string } `xml:"item" json:"item"`
	}
	TransInfo struct{ KfAccount string }
}

// read decodes an answer in the app's format; ok is false for anything that is not one document of it.
func read(format string, b []byte, into any) bool {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return false
	}
	if format == formatJSON {
		return b[0] == '{' && json.Unmarshal(b, into) == nil
	}
	return b[0] == '<' && xml.Unmarshal(b, into) == nil
}
