package wechat

import "strings"

// vector is one of the published test vectors of wechat.md §7.4.
type vector struct {
	name, token, key, appID, timestamp, nonce, random string
	msg                                               string
	encrypted                                         string
	signature                                         string // over the query; empty where none is published
	msgSignature                                      string
}

// Signatures of vector A, which has no cipher text.
const (
	aToken          = "AAAAA"
	aCheckTime      = "1714036504"
	aCheckNonce     = "1514711492"
	aEcho           = "4375120948345356249"
	aCheckSignature = "f464b24fc39322e44b38aa78f5edd27bd1441696"
	aPushTime       = "1714037059"
	aPushNonce      = "486452656"
	aPushSignature  = "899cf89e464efb63f54ddac96b0a0a235f53aa78"
	sampleKey       = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	wecomEchoTime   = "1411443780" // vector F: the address check of WeCom, which is encrypted
	wecomEchoNonce  = "437374425"
	wecomEchoSigned = "dd6b9c95b495b3f7e2901bfbc76c664930ffdb96"
	wecomEcho       = "4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q=="
	wecomEchoPlain  = "5927782489442352469"
)

var vectors = []vector{
	{
		name: "B: official, JSON push", token: "AAAAA", key: strings.Repeat("A", 43), appID: "wxba5fad812f8e6fb9",
		timestamp: "1714112445", nonce: "415670741", random: "a8eedb185eb2fecf",
		msg:          `{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`,
		encrypted:    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=",
		signature:    "6c5c811b55cc85e0e1b54100749188c20beb3f5d",
		msgSignature: "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
	},
	{
		name: "C: official, JSON answer to B", token: "AAAAA", key: strings.Repeat("A", 43), appID: "wxba5fad812f8e6fb9",
		timestamp: "1713424427", nonce: "415670741", random: "707722b803182950",
		msg:          `{"demo_resp":"good luck"}`,
		encrypted:    "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",
		signature:    "",
		msgSignature: "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1",
	},
	{
		name: "D: official, XML push of a third-party platform", token: "AAAAA", key: strings.Repeat("A", 43), appID: "wx134c8103faa5a59e",
		timestamp: "1715943329", nonce: "1590219412", random: "1205899eaf019bbd",
		msg: `<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName>
<FromUserName><![CDATA[o9AgO5Kd5ggOC-bXrbNODIiE3bGY]]></FromUserName>
<CreateTime>1715943329</CreateTime>
<MsgType><![CDATA[event]]></MsgType>
<Event><![CDATA[debug_demo]]></Event>
<debug_str><![CDATA[hello world]]></debug_str>
</xml>`,
		encrypted:    "D7yzvUNAL930rd28wf21s4hvXhz0L6Uit/p2Di6C5DHyYGpEgdBRnKjBec34JwoQXicwaZC7fOVihW80F4VtsdvE//1vr7oAbqjDv8KenVp+ajKYpJnyQ4zMRhIC+a31fCVOMC03FfzV/QuC94kBP55a+Za3sJgvAn+ZbsNqZI5DkyuzkhQN8OBqCzFhizGmy0xpM0MEA4agpvE+RuNO1rhHTtuJB5yltw1FiYzecSXJ+y/D2r81VkRn2eYjh2ltsoyfbDR7Is6ookXIFxTfyeNyeHxMeT4KN5WpCDmSbTcUYrbBUlkGLJ9n/rU8YOywma6G7aTb7KZKOqCxgfoUlYEZPk4FUL/TK7ShriFDMVCLyjQJ15Ob++agDWtcxhfUfe6HIoIpRW8mKNBQiY/Jd1svvuskA1wLef1RTtzKfMpagSCX/laZINmdnX4zrF6kIaR9P4xQrWXbsTFHTYe0Mg==",
		signature:    "cc0c594499c1634947d5b502f158ee518947db27",
		msgSignature: "6c12a4205838198b8fa631b3220723bb07f1015c",
	},
	{
		name: "E: multi-byte text", token: "pamtest", key: sampleKey, appID: "wxb11529c136998cb6",
		timestamp: "1409304348", nonce: "xxxxxx", random: "aaaabbbbccccdddd",
		msg:          `我是中文abcd123`,
		encrypted:    "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==",
		signature:    "",
		msgSignature: "82c962d39941aa48552f90ef55aa323dc620cc10",
	},
	{
		name: "G: text message in safe mode", token: "simtoken", key: sampleKey, appID: "wx0123456789abcdef",
		timestamp: "1700000001", nonce: "998877", random: "0123456789abcdef",
		msg:          `<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oSimUser0001]]></FromUserName><CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好,请问怎么退货?]]></Content><MsgId>24000000000000001</MsgId></xml>`,
		encrypted:    "Q3stYC6hdFzMh9T8HCvyDCZ7WOd3U4cBL73YIObrV8RNKVjRpUZx007nDMe/eoA1KQq1+1V6x7AscnUq3Z+y+nTgYfL8xVjKHq0soTtoRzd1pH6lzneGmwemuR47VYFw0y5EQS0Xyk2RbuKzNptsAftcNb+yU3CTVnDSVA5wg4Z4L3SZB2d6ZG62Ah9wPbaSIobcsEdmikYZSEa+5UNAvkucfDMBPxiCxOaaAGEPMAqyYW5GL+vHlcAPcckuKeifh2IPJblSYp+wgxtnfFXRy4r2OLhxiLM1tTtjpsJD9qHGpZ/zYURM5WmzwRI9a/hMy0xtszIPQebpUzGxUDh5idlwsRrpNx+9G3iP4aUHvIZc8mU0sYFH6p+0ROnoz1Oiyjv4KDlil2uzMtVLeVNlyPBvZX5AQJodIi4TA12bqos=",
		signature:    "6e594ba0f6fb40c2dd1a60611c6991abb2df14da",
		msgSignature: "21a0a54e7c4513be377033705ec5d108e1b55a8a",
	},
	{
		name: "H: answer to G, transfer", token: "simtoken", key: sampleKey, appID: "wx0123456789abcdef",
		timestamp: "1700000002", nonce: "998877", random: "fedcba9876543210",
		msg:          `<xml><ToUserName><![CDATA[oSimUser0001]]></ToUserName><FromUserName><![CDATA[gh_0123456789ab]]></FromUserName><CreateTime>1700000002</CreateTime><MsgType><![CDATA[transfer_customer_service]]></MsgType><TransInfo><KfAccount><![CDATA[test1@test]]></KfAccount></TransInfo></xml>`,
		encrypted:    "DpQeJfnf/MGZ/+GTIspwVJSWLrLBZFSqDPC3ir4dB8gx0yNr8LKvAFwoF0eHxf0TArWi1mfQYzKK1F+c/FYsrRa39unXxGiZLKDv8ruTg8BuV0pN5xp9Mh0w4qegiEvM4xNWgnIEzJ0OAhDwig2qHySD7L+dN++Nc046K2mXXVvzsA1CUjjodLK3Wk6qwQ64M1InJSqPRypa+eDZqgixEkQeKheO/VAULfCLi7ScYDEYxlHcrFgp2NqxAe7xaMBFCwtgyJYdlNj0eOKMYWZ+R3d6QwwOxhU4hVW+xjw4CeH82AvBG9HXE75aqCEjDwHdLtdJhb1e66bQlL/+pQE08rVJOEVcHvV5jzqwYqKeCmkoIPEGGj+6Fd64FlIHwiGMxpEW0iO7UhbCEybEVedzaiQLOiCuHpgcxkKcRk/ikdk=",
		signature:    "",
		msgSignature: "a429aa63716932eb571f9d4693521e72b58e687f",
	},
	{ // its plain text is published in part only
		name: "F: push of a WeCom application", token: "123456", key: "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR", appID: "wx49f0ab532d5d035a",
		timestamp: "1411525903", nonce: "461056294", random: "ec90b1530358d4d3",
		encrypted:    "RgqEoJj5A4EMYlLvWO1F86ioRjZfaex/gePD0gOXTxpsq5Yj4GNglrBb8I2BAJVODGajiFnXBu7mCPatfjsu6IHCrsTyeDXzF6Bv283dGymzxh6ydJRvZsryDyZbLTE7rhnus50qGPMfp2wASFlzEgMW9z1ef/RD8XzaFYgm7iTdaXpXaG4+BiYyolBug/gYNx410cvkKR2/nPwBiT+P4hIiOAQqGp/TywZBtDh1yCF2KOd0gpiMZ5jSw3e29mTvmUHzkVQiMS6td7vXUaWOMZnYZlF3So2SjHnwh4jYFxdgpkHHqIrH/54SNdshoQgWYEvccTKe7FS709/5t6NMxuGhcUGAPOQipvWTT4dShyqio7mlsl5noTrb++x6En749zCpQVhDpbV6GDnTbcX2e8K9QaNWHp91eBdCRxthuL0=",
		msgSignature: "74d92dfeb87ba7c714f89d98870ae5eb62dff26d",
	},
}

func vectorOf(letter string) vector {
	for _, v := range vectors {
		if strings.HasPrefix(v.name, letter+":") {
			return v
		}
	}
	panic("no vector " + letter)
}
