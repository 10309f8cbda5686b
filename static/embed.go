// Package static holds the files a browser fetches: style sheets, icons, pictures, our scripts and the vendored ones. They are part of
// the binary. The package knows nothing of pages or people.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
)

// FS is every file, by the name that URL takes. The last pattern stands for icons, img and the simulator's folder sim.
//
//go:embed css js vendor [is]*
var FS embed.FS

// prefix is where the files are served.
const prefix = "/static/"

// tags maps a file's name to the first characters of its content's hash.
var tags = contentTags()

// contentTags hashes every file once, when the program starts.
func contentTags() map[string]string {
	found := make(map[string]string)
	err := fs.WalkDir(FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := FS.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		found[name] = hex.EncodeToString(sum[:6])
		return nil
	})
	if err != nil {
		panic("static: " + err.Error()) // the files are in the binary: cannot happen in one that was built
	}
	return found
}

// URL is the address of a file, for example URL("css/app.css"). The address changes with the content, so a browser may keep the answer
// for ever. An unknown name gives an address without a tag, which answers 404.
func URL(name string) string {
	tag, ok := tags[name]
	if !ok {
		return prefix + name
	}
	return prefix + name + "?v=" + tag
}
