// Package seal keeps secrets of the database unreadable without the installation's key: AES-256-GCM, each sealed value bound to the
// place it is stored in, so that a value copied into another row or column does not open.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrWrongKey is returned for what was sealed with another key or for another place.
var ErrWrongKey = errors.New("sealed with another key")

// keySize in bytes: AES-256.
const keySize = 32

// Box seals and opens with one key.
type Box struct {
	gcm cipher.AEAD
	id  [4]byte // the beginning of the key's hash: tells keys apart when they change
}

// New makes a box of a key of 32 bytes.
func New(key []byte) (*Box, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("a secret key has %d bytes, not %d", keySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	b := &Box{gcm: gcm}
	sum := sha256.Sum256(append([]byte("kefu key id "), key...))
	copy(b.id[:], sum[:])
	return b, nil
}

// place names where a value is stored.
func place(table, uid, column string) []byte {
	return []byte(strings.Join([]string{table, uid, column}, "\x00"))
}

// Seal closes a value for its place: the table, a random id of the row, the column.
func (b *Box) Seal(value, table, uid, column string) []byte {
	return b.gcm.Seal(append([]byte(nil), b.id[:]...), nil, []byte(value), place(table, uid, column)) //nolint:gosec // the random-nonce form takes no nonce
}

// Open is the value that was sealed for the place. ErrWrongKey: another key, another place, or damage.
func (b *Box) Open(sealed []byte, table, uid, column string) (string, error) {
	if len(sealed) < len(b.id) || string(sealed[:len(b.id)]) != string(b.id[:]) {
		return "", ErrWrongKey
	}
	value, err := b.gcm.Open(nil, nil, sealed[len(b.id):], place(table, uid, column))
	if err != nil {
		return "", ErrWrongKey
	}
	return string(value), nil
}

// Key reads the installation's key: from the setting, 32 bytes in base64, or else from the file secret.key in the folder, which is made
// when it is missing.
func Key(setting, folder string) ([]byte, error) {
	if setting != "" {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(setting))
		if err != nil || len(key) != keySize {
			return nil, errors.New("the secret key must be 32 bytes in base64, for example from: head -c 32 /dev/urandom | base64")
		}
		return key, nil
	}
	path := filepath.Join(folder, "secret.key")
	raw, err := os.ReadFile(path) //nolint:gosec // the folder is the operator's own setting
	if err == nil {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(raw)))
		if err != nil || len(key) != keySize {
			return nil, fmt.Errorf("%s does not hold 32 bytes in base64", path)
		}
		return key, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key := make([]byte, keySize)
	rand.Read(key) //nolint:errcheck // never fails (crypto/rand)
	return key, write(path, base64.StdEncoding.EncodeToString(key)+"\n")
}

// write puts the key on disk for good before anything is sealed with it; a power cut leaves the whole file or none.
func write(path, text string) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // see Key
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
