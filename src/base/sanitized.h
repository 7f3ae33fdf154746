/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SANITIZED: 1 in a build with AddressSanitizer or ThreadSanitizer, else 0. Their runtimes make
 * system calls of their own and map terabytes, so fences of calls and address space are left out.
 */
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif
