package livepage

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// Each row makes a component of what is seen, of linear red, green and blue: Machado, Oliveira, Fernandes,
// "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1.0.
var eyes = map[string][3][3]float64{
	"all colours":             {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"no red (protanopia)":     {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"no green (deuteranopia)": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"no blue (tritanopia)":    {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

func apply(m [3][3]float64, v [3]float64) (product [3]float64) {
	for i, row := range m {
		product[i] = row[0]*v[0] + row[1]*v[1] + row[2]*v[2]
	}
	return product
}

// seenAs is the colour #rrggbb in Oklab, as the eyes see it: https://bottosson.github.io/posts/oklab/.
func seenAs(t *testing.T, colour string, eye [3][3]float64) [3]float64 {
	t.Helper()
	var linear [3]float64
	for i := range linear {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		if c := float64(n) / 255; c <= 0.04045 {
			linear[i] = c / 12.92
		} else {
			linear[i] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	seen := apply(eye, linear)
	for i, c := range seen {
		seen[i] = min(max(c, 0), 1)
	}
	cones := apply([3][3]float64{{0.4122214708, 0.5363325363, 0.0514459929}, {0.2119034982, 0.6806995451, 0.1073969566}, {0.0883024619, 0.2817188376, 0.6299787005}}, seen)
	for i, c := range cones {
		cones[i] = math.Cbrt(c)
	}
	return apply([3][3]float64{{0.2104542553, 0.7936177850, -0.0040720468}, {1.9779984951, -2.4285922050, 0.4505937099}, {0.0259040371, 0.7827717662, -0.8086757660}}, cones)
}

// The members' colours differ for all eyes, in both themes. The number on each lane is the second sign.
func TestColours(t *testing.T) {
	css, err := os.ReadFile("page/page.css")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`\.m(\d) \{ --c: (#[0-9a-f]{6});`).FindAllStringSubmatch(string(css), -1)
	if len(found) != 16 {
		t.Fatalf("%d colours, not 8 in each of two themes", len(found))
	}
	const least = 0.08 // four times what eyes just notice
	for name, eye := range eyes {
		for i, first := range found {
			theme := []string{"light", "dark"}[i/8]
			for _, second := range found[i+1 : i/8*8+8] {
				a, b := seenAs(t, first[2], eye), seenAs(t, second[2], eye)
				if differ := math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2]); differ < least {
					t.Errorf("%s, %s: members %s and %s differ by %.3f only", theme, name, first[1], second[1], differ)
				}
			}
		}
	}
}
