package process

import (
	"os/exec"
	"path"
	"runtime"
	"strings"
)

// Arguments gives the program that runs a script file, by the suffix of its name, with the file as its last argument.
// It is called by the name that people know; Run looks for it in PATH. powershell names PowerShell's program, "" means
// pwsh, or powershell on Windows. Direct is true for a file that is a program itself.
//
// The error is a *Missing where there is no such program.
func Arguments(file, powershell string) (args []string, direct bool, err error) {
	var programs, options []string
	switch strings.ToLower(path.Ext(strings.ReplaceAll(file, `\`, "/"))) {
	case ".sh":
		programs = []string{"sh"}
	case ".bash":
		programs = []string{"bash"}
	case ".py":
		programs = []string{"python", "python3"} // many systems have only the second name
	case ".ps1":
		if powershell == "" {
			powershell = "pwsh"
			if runtime.GOOS == "windows" {
				powershell = "powershell"
			}
		}
		programs, options = []string{powershell}, []string{"-File"}
	case ".bat", ".cmd":
		programs, options = []string{"cmd"}, []string{"/c"}
	default:
		return []string{file}, true, nil
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err == nil {
			return append(append([]string{program}, options...), file), false, nil
		}
	}
	return nil, false, &Missing{File: file, Program: programs[0]}
}
