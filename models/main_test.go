package models_test

import (
	"testing"

	"kefu/models/modelstest"
)

func TestMain(m *testing.M) { modelstest.Main(m) }
