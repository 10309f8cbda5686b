package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever passes the binary on must pass on the notices of what is in it, so docs/licences.md lists every module that ships.
func TestLicencesNameEveryModuleInTheBinary(t *testing.T) {
	root := moduleRoot(t)
	page, err := os.ReadFile(filepath.Join(root, "docs", "licences.md"))
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./cmd/kefu")
	list.Dir = root
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	seen := map[string]bool{}
	for module := range strings.Lines(string(out)) {
		module = strings.TrimSpace(module)
		if module == "" || seen[module] {
			continue
		}
		seen[module] = true
		if !strings.Contains(string(page), "| `"+module+"` |") {
			t.Errorf("%s ships in the binary and is missing in docs/licences.md: read its LICENSE file and add a row", module)
		}
	}
}
