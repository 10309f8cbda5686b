package views

import "strings"

// joinDots sets the parts there are side by side.
func joinDots(parts ...string) string {
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	return strings.Join(said, " · ")
}

// orElse is the text, or the other one when it is empty.
func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
