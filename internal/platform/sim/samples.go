package sim

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"sync"
)

// sample is a small file of the kind, for acts that bring none.
func sample(kind string) []byte {
	switch kind {
	case "image":
		return samplePicture()
	case "thumb":
		return sampleThumb()
	case "voice":
		return sampleVoice()
	}
	return sampleVideo()
}

var (
	samplePicture = sync.OnceValue(func() []byte { return picture(480, 360) })
	sampleThumb   = sync.OnceValue(func() []byte { return picture(160, 120) })
	sampleVoice   = sync.OnceValue(func() []byte {
		frame := append([]byte{0x3c}, make([]byte, 31)...) // 12.2 kbit/s, 20 ms
		return append([]byte("#!AMR\n"), bytes.Repeat(frame, 150)...)
	})
	sampleVideo = sync.OnceValue(func() []byte { // boxes of an MP4 without a track: a player finds nothing to play
		box := func(name string, content []byte) []byte {
			size := 8 + len(content)
			return append([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size), name[0], name[1], name[2], name[3]}, content...)
		}
		return append(box("ftyp", []byte("isom\x00\x00\x02\x00isommp42")), box("mdat", make([]byte, 64))...)
	})
)

// picture paints stripes, so that a scaled copy is told from an empty one.
func picture(width, height int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			shade := color.RGBA{15, 101, 112, 255}
			if (x+y)/24%2 == 0 {
				shade = color.RGBA{211, 230, 230, 255}
			}
			img.SetRGBA(x, y, shade)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}); err != nil {
		panic("sim: sample picture: " + err.Error()) // into memory
	}
	return b.Bytes()
}
