/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entry point of inro-runtime on x86-64, before libc's: the second execution that selfexe.h
 * asks for costs 0.1 ms here instead of 0.4 ms in main(), most of which is libc looking at the CPU
 * (cpuid is a trap in virtual machines). Where anything is not as expected the program just starts,
 * and main() finds out that it is not protected.
 *
 * Nothing is set up yet when this runs: no relocations, no TLS (so no errno and no stack
 * protector: see meson.build), no IFUNCs (so no string functions). Only plain system calls.
 */
#include <elf.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#define ST_READONLY 1 /* statfs(2): ST_RDONLY */

/* Called by the assembly below with the initial stack: argc, argv, NULL, envp, NULL, auxv. */
void selfexe_entry(long *stack);

__asm__(".pushsection .text\n"
	".globl inro_entry\n"
	".type inro_entry, @function\n"
	"inro_entry:\n"
	"	endbr64\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rsp, %rdi\n"
	"	pushq %rdx\n" /* for _start: what to run at exit */
	"	subq $8, %rsp\n"
	"	call selfexe_entry\n"
	"	addq $8, %rsp\n"
	"	popq %rdx\n"
	"	jmp _start\n"
	".size inro_entry, . - inro_entry\n"
	".popsection\n");

static inline long call5(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static int starts(const char *s, const char *prefix)
{
	while (*prefix && *s == *prefix) {
		s++;
		prefix++;
	}
	return *prefix == '\0';
}

/* Executed by fd already: once is enough, also if the mount does not show as read-only. */
static int is_second(const long *end_of_env)
{
	const Elf64_auxv_t *aux = (const Elf64_auxv_t *)(end_of_env + 1);

	for (; aux->a_type != AT_NULL; aux++)
		if (aux->a_type == AT_EXECFN)
			return starts((const char *)aux->a_un.a_val, "/dev/fd/");
	return 1;
}

static int starts_containers(char **argv)
{
	for (char **arg = argv; *arg; arg++)
		if (arg != argv &&
		    (same(*arg, "run") || same(*arg, "create") || same(*arg, "exec")))
			return 1;
	return 0;
}

void selfexe_entry(long *stack)
{
	static const char self[] = "/proc/self/exe";
	char **argv = (char **)(stack + 1);
	char **env = argv + stack[0] + 1;
	long *end = (long *)env;
	struct mount_attr attr;
	struct statfs fs;
	long fd;

	while (*end)
		end++;
	if (stack[0] < 1 || !starts_containers(argv) || is_second(end))
		return;
	if (call5(SYS_geteuid, 0, 0, 0, 0, 0) != 0 ||
	    call5(SYS_statfs, (long)self, (long)&fs, 0, 0, 0) != 0 || (fs.f_flags & ST_READONLY))
		return;
	/* Stays open: selfexe_mount_fd(). */
	fd = call5(SYS_open_tree, AT_FDCWD, (long)self, OPEN_TREE_CLONE, 0, 0);
	if (fd < 0)
		return;
	attr.attr_set = MOUNT_ATTR_RDONLY;
	attr.attr_clr = 0;
	attr.propagation = 0;
	attr.userns_fd = 0;
	if (call5(SYS_mount_setattr, fd, (long)"", AT_EMPTY_PATH, (long)&attr, sizeof(attr)) == 0)
		call5(SYS_execveat, fd, (long)"", (long)argv, (long)env, AT_EMPTY_PATH);
	call5(SYS_close, fd, 0, 0, 0, 0);
}
