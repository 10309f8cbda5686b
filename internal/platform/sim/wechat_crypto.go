package sim

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// sign is the SHA-1 over the parts in byte order, joined: 3 parts for signature, 4 for msg_signature (wechat.md §7.2, §7.3).
func sign(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// padBlock is the block of the padding: 32, not the cipher's 16 (wechat.md §7.4).
const padBlock = 32

var errCipher = errors.New("the cipher text is not ours")

// decodeAESKey turns the 43 characters into 32 bytes. Their last bits are often not zero, so strict decoding would refuse good keys
// (wechat.md §7.4).
func decodeAESKey(key string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(key + "=")
	if err != nil || len(b) != 32 {
		return nil, errors.New("EncodingAESKey must be 43 characters of base64")
	}
	return b, nil
}

// encrypt packs random(16) | length | msg | appid, pads and encrypts it (wechat.md §7.4). random is 16 bytes.
func encrypt(aesKey string, random, msg []byte, appid string) (string, error) {
	key, err := decodeAESKey(aesKey)
	if err != nil {
		return "", err
	}
	plain := append([]byte{}, random...)
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(msg)))
	plain = append(append(plain, msg...), appid...)
	pad := padBlock - len(plain)%padBlock // a full block when aligned
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain), nil
}

// decrypt undoes encrypt and returns the message and the tail, which the caller compares with the appid.
func decrypt(aesKey, text string) (msg []byte, tail string, err error) {
	key, err := decodeAESKey(aesKey)
	if err != nil {
		return nil, "", err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || len(b)%aes.BlockSize != 0 {
		return nil, "", errCipher
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, "", err
	}
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(b, b)
	pad := int(b[len(b)-1])
	if pad < 1 || pad > padBlock || len(b)-pad < 20 {
		return nil, "", errCipher
	}
	b = b[:len(b)-pad]
	size := binary.BigEndian.Uint32(b[16:20])
	if uint64(size) > uint64(len(b)-20) {
		return nil, "", errCipher
	}
	return b[20 : 20+size], string(b[20+size:]), nil
}
