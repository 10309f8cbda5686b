package sim

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
)

// mediaLife is how long a temporary file lives (wechat.md §8.1).
const mediaLife = 3 * 24 * time.Hour

// mediaFile is a file that the server uploaded or a customer sent.
type mediaFile struct {
	app     *wechatApp
	kind    string // image | voice | video | thumb | headimg
	bytes   []byte
	mime    string
	expires time.Time // zero: it stays
}

func (m *mediaFile) alive(now time.Time) bool { return m.expires.IsZero() || now.Before(m.expires) }

// mediaLimits are the sizes of §8.1 and the code of a larger file.
var mediaLimits = map[string]struct{ bytes, code int }{
	"image": {10 << 20, 40009}, "voice": {2 << 20, 40010}, "video": {10 << 20, 40011}, "thumb": {64 << 10, 40012},
}

// mediaFormats are the formats of §8.1, judged by content.
var mediaFormats = map[string][]string{
	"image": {"image/png", "image/jpeg", "image/gif"},
	"voice": {"audio/amr", "audio/mpeg"},
	"video": {"video/mp4"},
	"thumb": {"image/jpeg"},
}

// endings of file names by content type.
var endings = map[string]string{
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "audio/amr": ".amr", "audio/mpeg": ".mp3", "video/mp4": ".mp4",
}

// contentType looks at the bytes, as names and headers lie.
func contentType(b []byte) string {
	switch kind := http.DetectContentType(b); {
	case bytes.HasPrefix(b, []byte("#!AMR")):
		return "audio/amr"
	case len(b) > 2 && b[0] == 0xff && b[1]&0xe0 == 0xe0 && kind != "image/jpeg":
		return "audio/mpeg" // a bare frame, without ID3
	case len(b) > 12 && string(b[4:8]) == "ftyp":
		return "video/mp4"
	default:
		kind, _, _ = strings.Cut(kind, ";")
		return kind
	}
}

// keep stores a file under a new id.
func (s *Simulator) keep(a *wechatApp, kind string, content []byte, life time.Duration) string {
	now := s.clock.Now()
	for id, m := range s.wechat.media {
		if !m.expires.IsZero() && now.Sub(m.expires) > mediaLife {
			delete(s.wechat.media, id)
		}
	}
	m := &mediaFile{app: a, kind: kind, bytes: content, mime: contentType(content)}
	if life > 0 {
		m.expires = now.Add(life)
	}
	id := s.pick(64, urlSafe)
	s.wechat.media[id] = m
	return id
}

// mediaURL is where anybody may fetch a file without a token, like the platform's picture hosts.
func (s *Simulator) mediaURL(id string) string { return s.baseURL + "/_sim/media/" + id }

// mediaUpload is POST /cgi-bin/media/upload?type= (wechat.md §8.1).
func (s *Simulator) mediaUpload(c *apiCall) reply {
	kind := c.r.URL.Query().Get("type")
	limit, known := mediaLimits[kind]
	if !known {
		return reply{code: 40004}
	}
	c.about = kind
	content, code := formFile(c, "media")
	switch {
	case code != 0:
		return reply{code: code}
	case len(content) == 0:
		return reply{code: 44001}
	case len(content) > limit.bytes:
		return reply{code: limit.code}
	case !slices.Contains(mediaFormats[kind], contentType(content)):
		return reply{code: 40005}
	}
	id := s.keep(c.app, kind, content, mediaLife)
	key := "media_id"
	if kind == "thumb" {
		key = "thumb_media_id"
	}
	return reply{data: map[string]any{"type": kind, key: id, "created_at": c.now.Unix()}}
}

// formFile reads the file of a multipart body: 41005 when there is none under the names.
func formFile(c *apiCall, names ...string) ([]byte, int) {
	kind, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, 41005
	}
	parts := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil {
			return nil, 41005
		}
		if !slices.Contains(names, part.FormName()) || part.FileName() == "" {
			continue
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, 41005
		}
		return content, 0
	}
}

// mediaGet is GET /cgi-bin/media/get: bytes, for a video an address, for an error JSON as text/plain (wechat.md §8.2).
func (s *Simulator) mediaGet(c *apiCall) reply {
	id := rawParam(c.r.URL.RawQuery, "media_id")
	m := s.wechat.media[id]
	switch {
	case id == "":
		return reply{code: 41006, kind: "text/plain"}
	case m == nil || m.app != c.app || !m.alive(c.now) || m.kind == "headimg":
		return reply{code: 40007, kind: "text/plain"}
	case m.kind == "video":
		return reply{data: map[string]any{"video_url": s.mediaURL(id)}, kind: "text/plain"}
	}
	c.about = m.kind
	answer := reply{raw: m.bytes, kind: m.mime, file: id + endings[m.mime]}
	if s.switches.ContentTypes == "chaos" {
		answer.kind, answer.file = "text/plain", "" // seen with good pictures (§8.2)
	}
	return answer
}

// serveMedia answers /_sim/media/{id}: what PicUrl, video_url and avatars point to.
func (s *Simulator) serveMedia(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	m := s.wechat.media[r.PathValue("id")]
	gone := m == nil || !m.alive(s.clock.Now())
	s.mu.Unlock()
	if gone {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", m.mime)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox") // files are strangers'
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(m.bytes))
}
