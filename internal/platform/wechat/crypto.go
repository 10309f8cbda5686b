package wechat

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
)

const (
	randomBytes = 16
	lengthBytes = 4
	padBlock    = 32 // PKCS#7 over 32 bytes, not over the cipher's 16 (wechat.md §7.4)
)

var errBroken = errors.New("cipher text is broken")

// sign is the platform's signature: SHA-1 over the parts sorted as byte strings, in lower-case hex (wechat.md §7.2, §7.3).
func sign(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// signed reports whether signature belongs to the parts, in a time that does not depend on where they differ.
func signed(signature string, parts ...string) bool {
	return subtle.ConstantTimeCompare([]byte(signature), []byte(sign(parts...))) == 1
}

// cipherKey is one EncodingAESKey, ready for use.
type cipherKey struct {
	block cipher.Block
	iv    []byte
}

var wellFormedAESKey = regexp.MustCompile(`^[A-Za-z0-9]{43}$`)

func newCipherKey(encoded string) (*cipherKey, error) {
	if !wellFormedAESKey.MatchString(encoded) {
		return nil, errors.New("must be 43 letters or digits")
	}
	key, err := base64.StdEncoding.DecodeString(encoded + "=") // not Strict: real keys have trailing bits (wechat.md §7.4)
	if err != nil {
		return nil, errors.New("is not base64")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errors.New("is not an AES-256 key")
	}
	return &cipherKey{block: block, iv: key[:aes.BlockSize]}, nil
}

// open decrypts: random(16) | length(4) | msg | tail, where tail is the appid of the account it was made for (wechat.md §7.4).
func (k *cipherKey) open(encrypted string) (msg []byte, tail string, err error) {
	plain, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(plain) == 0 || len(plain)%aes.BlockSize != 0 {
		return nil, "", errBroken
	}
	cipher.NewCBCDecrypter(k.block, k.iv).CryptBlocks(plain, plain)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > padBlock || pad > len(plain) {
		return nil, "", errBroken
	}
	for _, b := range plain[len(plain)-pad:] {
		if int(b) != pad {
			return nil, "", errBroken
		}
	}
	plain = plain[:len(plain)-pad]
	if len(plain) < randomBytes+lengthBytes {
		return nil, "", errBroken
	}
	length := uint64(binary.BigEndian.Uint32(plain[randomBytes:]))
	rest := plain[randomBytes+lengthBytes:]
	if length > uint64(len(rest)) {
		return nil, "", errBroken
	}
	return rest[:length:length], string(rest[length:]), nil
}

// seal is the reverse of open. It takes its 16 bytes from random.
func (k *cipherKey) seal(random io.Reader, msg []byte, tail string) (string, error) {
	plain := make([]byte, randomBytes+lengthBytes, randomBytes+lengthBytes+len(msg)+len(tail)+padBlock)
	if _, err := io.ReadFull(random, plain[:randomBytes]); err != nil {
		return "", err
	}
	binary.BigEndian.PutUint32(plain[randomBytes:], uint32(len(msg)))
	plain = append(plain, msg...)
	plain = append(plain, tail...)
	pad := padBlock - len(plain)%padBlock // a full block when it is aligned already
	for range pad {
		plain = append(plain, byte(pad))
	}
	cipher.NewCBCEncrypter(k.block, k.iv).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain), nil
}
