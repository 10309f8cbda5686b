package load

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Account is the official account in safe mode whose platform is played.
type Account struct {
	Path                  string // of its callbacks
	AppID, OriginalID     string
	Token, EncodingAESKey string
}

// OpenID is the id of the customer with the number.
func OpenID(customer int) string { return fmt.Sprintf("oBench_%021d", customer) }

// platform signs and encrypts for an account. It is written from docs/protocols/wechat.md §7.2 to §7.4 and shares nothing with the
// adapter that reads it.
type platform struct {
	Account
	host  string
	block cipher.Block
	iv    []byte
}

func newPlatform(a Account, host string) (*platform, error) {
	key, err := base64.StdEncoding.DecodeString(a.EncodingAESKey + "=") // not strict: the last bits need not be zero
	if err != nil || len(key) != 32 {
		return nil, errors.New("EncodingAESKey must be 43 characters of base64")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &platform{Account: a, host: host, block: block, iv: key[:aes.BlockSize]}, nil
}

func sign(parts ...string) string {
	slices.Sort(parts)
	digest := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(digest[:])
}

// padTo is the padding's block: 32, although the cipher's is 16.
const padTo = 32

// seal encrypts random(16) | length(4) | message | appid.
func (p *platform) seal(random [16]byte, message string) string {
	plain := binary.BigEndian.AppendUint32(random[:], uint32(len(message)))
	plain = append(append(plain, message...), p.AppID...)
	pad := padTo - len(plain)%padTo
	plain = append(plain, strings.Repeat(string(rune(pad)), pad)...)
	cipher.NewCBCEncrypter(p.block, p.iv).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain)
}

// open undoes seal.
func (p *platform) open(sealed string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(b) < padTo || len(b)%aes.BlockSize != 0 {
		return "", errors.New("answer: the cipher text is broken")
	}
	cipher.NewCBCDecrypter(p.block, p.iv).CryptBlocks(b, b)
	end := len(b) - int(b[len(b)-1])
	if end < 20 || len(b)-end > padTo {
		return "", errors.New("answer: the padding is broken")
	}
	message, tail := b[20:end], ""
	if size := int(binary.BigEndian.Uint32(b[16:20])); size <= len(message) {
		message, tail = message[:size], string(message[size:])
	}
	if tail != p.AppID {
		return "", errors.New("answer: encrypted for another appid")
	}
	return string(message), nil
}

// push is a whole HTTP request: a text message of the customer, signed and encrypted.
func (p *platform) push(random [16]byte, customer int, messageID int64, text string, at time.Time) []byte {
	openid, stamp := OpenID(customer), strconv.FormatInt(at.Unix(), 10)
	nonce := strconv.FormatUint(binary.BigEndian.Uint64(random[:])%1_000_000_000, 10)
	sealed := p.seal(random, "<xml><ToUserName><![CDATA["+p.OriginalID+"]]></ToUserName><FromUserName><![CDATA["+openid+"]]></FromUserName><CreateTime>"+stamp+
		"</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA["+text+"]]></Content><MsgId>"+strconv.FormatInt(messageID, 10)+"</MsgId></xml>")
	body := "<xml><ToUserName><![CDATA[" + p.OriginalID + "]]></ToUserName><Encrypt><![CDATA[" + sealed + "]]></Encrypt></xml>"
	return []byte("POST " + p.Path + "?signature=" + sign(p.Token, stamp, nonce) + "&timestamp=" + stamp + "&nonce=" + nonce + "&openid=" + openid +
		"&encrypt_type=aes&msg_signature=" + sign(p.Token, stamp, nonce, sealed) + " HTTP/1.1\r\nHost: " + p.host +
		"\r\nUser-Agent: Mozilla/4.0\r\nContent-Type: text/xml\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// answer reads what a push was answered with: "" for success, else the words of a passive reply to the customer, whose signature,
// encryption and receiver must be right.
func (p *platform) answer(status int, body []byte, customer int) (string, error) {
	if status != 200 {
		return "", fmt.Errorf("answer: status %d", status)
	}
	if string(body) == "success" {
		return "", nil
	}
	var outer struct{ Encrypt, MsgSignature, TimeStamp, Nonce string }
	if err := xml.Unmarshal(body, &outer); err != nil {
		return "", fmt.Errorf("answer: neither success nor XML: %w", err)
	}
	if outer.MsgSignature != sign(p.Token, outer.TimeStamp, outer.Nonce, outer.Encrypt) {
		return "", errors.New("answer: wrong signature")
	}
	message, err := p.open(outer.Encrypt)
	if err != nil {
		return "", err
	}
	var inner struct{ ToUserName, FromUserName, MsgType, Content string }
	if err := xml.Unmarshal([]byte(message), &inner); err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	if inner.ToUserName != OpenID(customer) || inner.FromUserName != p.OriginalID || inner.MsgType != "text" || inner.Content == "" {
		return "", errors.New("answer: not a text for this customer")
	}
	return inner.Content, nil
}
